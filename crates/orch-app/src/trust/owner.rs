//! Whose files are found: the user's own or root's, and not for everybody to write to.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::AppError;

/// The user who may put files anywhere in any case.
const ROOT: u32 = 0;
/// The bit of a mode that lets everybody write.
const WRITABLE_BY_ALL: u32 = 0o002;

/// Checks files and folders that were found; those that are not there are fine. Of a link the link's target counts, and the folder
/// that it is in.
///
/// # Errors
/// When one of them belongs to another user who is not root, or everybody may write to it.
pub(crate) fn check(found: impl IntoIterator<Item = PathBuf>) -> Result<(), AppError> {
    let me = rustix::process::geteuid().as_raw();
    for path in found {
        // What cannot be looked at cannot be read either, which the reader reports.
        let Ok(metadata) = fs::metadata(&path) else { continue };
        check_one(&path, &metadata, me)?;
        let is_link = fs::symlink_metadata(&path).is_ok_and(|link| link.is_symlink());
        let target = is_link.then(|| path.canonicalize().ok()).flatten();
        let folder = target.as_deref().and_then(Path::parent);
        if let Some((folder, metadata)) = folder.and_then(|f| Some((f, fs::metadata(f).ok()?))) {
            check_one(folder, &metadata, me)?;
        }
    }
    Ok(())
}

fn check_one(path: &Path, metadata: &Metadata, me: u32) -> Result<(), AppError> {
    let fault = fault(metadata.uid(), metadata.mode(), me);
    fault.map_or(Ok(()), |why| Err(AppError::NotTrusted { path: path.to_owned(), why }))
}

/// Returns why user `me` should not trust a file or folder with this owner and mode.
fn fault(owner: u32, mode: u32, me: u32) -> Option<String> {
    if owner != me && owner != ROOT {
        return Some(format!("it belongs to user {owner}, and you are user {me}"));
    }
    (mode & WRITABLE_BY_ALL != 0).then(|| "everybody may write to it".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_user_and_of_root_are_fine_unless_everybody_may_write() {
        for (owner, mode, me, expected) in [
            (1000, 0o644, 1000, None),
            (1000, 0o664, 1000, None),
            (1000, 0o2775, 1000, None),
            (0, 0o755, 1000, None),
            (0, 0o644, 0, None),
            (1000, 0o644, 0, Some("it belongs to user 1000, and you are user 0")),
            (1001, 0o600, 1000, Some("it belongs to user 1001, and you are user 1000")),
            (1000, 0o666, 1000, Some("everybody may write to it")),
            (0, 0o1777, 1000, Some("everybody may write to it")),
        ] {
            assert_eq!(fault(owner, mode, me).as_deref(), expected, "{owner} {mode:o} {me}");
        }
    }
}
