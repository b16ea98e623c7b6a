//! The files of the tree that people write.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Returns the files below `root` that `is_wanted` takes, relative to it and in order.
///
/// Leaves out `target` and whatever is hidden (`.git`, `.orch`).
pub(crate) fn files(root: &Path, is_wanted: impl Fn(&Path) -> bool) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') || name == "target" {
                continue;
            }
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if is_wanted(&entry.path()) {
                found.extend(entry.path().strip_prefix(root).map(Path::to_path_buf));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Tells whether a file has one of the extensions.
pub(super) fn has_one_of(path: &Path, extensions: &[&str]) -> bool {
    path.extension()
        .and_then(|found| found.to_str())
        .is_some_and(|found| extensions.contains(&found))
}
