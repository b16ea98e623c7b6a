//! Source files stay short enough to be read in one go.

use std::{fs, path::Path};

use anyhow::Context as _;

use super::{Verdict, tree};
use crate::project::Project;

/// The most lines of a source file.
const MAX_LINES: usize = 500;

const SOURCES: [&str; 5] = ["awk", "py", "rs", "sh", "sql"];

/// A file that may be longer.
struct Long {
    path: &'static str,
    reason: &'static str,
}

/// The files that may be longer, each for a reason.
const LONG: &[Long] = &[];

/// Fails on every source file that is too long and has no reason to be.
pub(super) fn check(project: &Project) -> anyhow::Result<Verdict> {
    let (count, issues) = issues(project.root(), LONG)?;
    let note = format!("{count} source files of at most {MAX_LINES} lines");
    Ok(Verdict::of_issues(&issues, note, "by hand: split by command, type or table"))
}

/// Returns how many files were read, and what is wrong with them.
fn issues(root: &Path, long: &[Long]) -> anyhow::Result<(usize, Vec<String>)> {
    let mut issues = Vec::new();
    let mut unused: Vec<_> = long.iter().collect();
    let files = tree::files(root, |path| tree::has_one_of(path, &SOURCES))?;
    for path in &files {
        let bytes = fs::read(root.join(path)).with_context(|| path.display().to_string())?;
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        if lines <= MAX_LINES {
            continue;
        }
        match unused.iter().position(|listed| path == Path::new(listed.path)) {
            Some(index) => drop(unused.remove(index)),
            None => {
                issues.push(format!("{} has {lines} lines, at most {MAX_LINES}", path.display()))
            }
        }
    }
    issues.extend(unused.iter().map(|Long { path, reason }| {
        format!("{path} is listed as long ({reason}), but it is not: drop it from the list")
    }));
    Ok((files.len(), issues))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(files: &[(&str, usize)], long: &[Long], expected: &[&str]) {
        let folder = tempfile::tempdir().unwrap();
        for (path, lines) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "\n".repeat(*lines)).unwrap();
        }
        assert_eq!(issues(folder.path(), long).unwrap().1, expected);
    }

    #[test]
    fn a_long_file_is_named() {
        check(&[("a/b.rs", MAX_LINES), ("a/c.sh", 1)], &[], &[]);
        check(&[("a/b.rs", MAX_LINES + 1)], &[], &["a/b.rs has 501 lines, at most 500"]);
        check(&[("a/b.sql", 900)], &[], &["a/b.sql has 900 lines, at most 500"]);
    }

    #[test]
    fn built_hidden_and_other_files_do_not_count() {
        check(&[("target/b.rs", 900), (".orch/b.rs", 900), ("a/b.md", 900)], &[], &[]);
    }

    #[test]
    fn an_exception_is_needed_or_reported() {
        let long = || [Long { path: "a/b.rs", reason: "one table" }];
        check(&[("a/b.rs", 900)], &long(), &[]);
        let stale = "a/b.rs is listed as long (one table), but it is not: drop it from the list";
        check(&[("a/b.rs", 9)], &long(), &[stale]);
        check(&[], &long(), &[stale]);
    }
}
