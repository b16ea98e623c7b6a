//! Reads a tracefile in LCOV's format.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, ensure};

/// How often each line of a file was run.
type Lines = BTreeMap<usize, u64>;

/// How much of a file the tests run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lined {
    /// Lines that were run.
    pub(super) run: usize,
    /// Lines that can be run.
    pub(super) all: usize,
}

/// Reads a tracefile and counts per file, by path from `root`. Code for tests alone does not count, wherever it stands:
/// it always runs, and would lift every share.
pub(super) fn read(text: &str, root: &Path) -> anyhow::Result<BTreeMap<String, Lined>> {
    let mut files = BTreeMap::new();
    for (path, lines) in parse(text)? {
        let Ok(inside) = Path::new(path).strip_prefix(root) else { continue };
        if is_for_tests(inside) {
            continue;
        }
        let source = fs::read_to_string(path).with_context(|| path.to_owned())?;
        let inside = inside.to_string_lossy().replace('\\', "/");
        files.insert(inside, count(&lines, code_ends(&source)));
    }
    ensure!(!files.is_empty(), "the tracefile names no file of this project");
    Ok(files)
}

/// Whether a whole file or one of its folders serves tests: `tests`, `pool_tests`, `testing`.
fn is_for_tests(path: &Path) -> bool {
    path.with_extension("").iter().any(|part| {
        let part = part.to_string_lossy();
        part == "tests" || part == "testing" || part.ends_with("_tests")
    })
}

fn parse(text: &str) -> anyhow::Result<BTreeMap<&str, Lines>> {
    let mut files: BTreeMap<&str, Lines> = BTreeMap::new();
    let mut path = None;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("SF:") {
            path = Some(name);
        } else if let Some(data) = line.strip_prefix("DA:") {
            let path = path.context("a line's count stands before its file")?;
            let (number, times) = data_of(data).with_context(|| format!("no count: {line:?}"))?;
            *files.entry(path).or_default().entry(number).or_default() += times;
        }
    }
    Ok(files)
}

/// Reads `12,3`: line 12 was run 3 times. A checksum may follow.
fn data_of(data: &str) -> Option<(usize, u64)> {
    let mut fields = data.split(',');
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// The number of the last line before the tests.
fn code_ends(source: &str) -> usize {
    let lines: Vec<_> = source.lines().collect();
    let begins_tests = |pair: &[&str]| {
        pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{')
    };
    lines.windows(2).position(begins_tests).unwrap_or(lines.len())
}

fn count(lines: &Lines, end: usize) -> Lined {
    let code = || lines.range(..=end);
    Lined { run: code().filter(|(_, times)| **times > 0).count(), all: code().count() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "fn a() {}\nfn b() {}\n\n#[cfg(test)]\nmod tests {\n    fn c() {}\n}\n";

    fn read_one(data: &str, source: &str) -> anyhow::Result<BTreeMap<String, Lined>> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.rs");
        fs::write(&file, source).unwrap();
        let outside = "SF:/elsewhere/x.rs\nDA:1,1\nend_of_record\n";
        read(&format!("{outside}SF:{}\n{data}\nend_of_record\n", file.display()), folder.path())
    }

    #[track_caller]
    fn check(data: &str, source: &str, run: usize, all: usize) {
        let expected = BTreeMap::from([("a.rs".to_owned(), Lined { run, all })]);
        assert_eq!(read_one(data, source).unwrap(), expected);
    }

    #[test]
    fn lines_are_counted_once() {
        check("FN:1,a\nDA:1,5\nDA:2,0", SOURCE, 1, 2);
        check("DA:1,0\nDA:1,2\nDA:2,0,checksum", SOURCE, 1, 2);
    }

    #[test]
    fn tests_under_the_code_do_not_count() {
        check("DA:1,5\nDA:2,0\nDA:6,9", SOURCE, 1, 2);
        check("DA:1,5\nDA:2,0\nDA:4,9", "a\nb\n#[cfg(test)]\nmod tests;\n", 2, 3);
    }

    #[test]
    fn files_for_tests_do_not_count() {
        for path in ["a/src/testing.rs", "a/src/tests/b.rs", "a/src/b/tests.rs", "a/src/b_tests.rs"]
        {
            assert!(is_for_tests(Path::new(path)), "{path}");
        }
        for path in ["a/src/contests.rs", "a/src/test.rs", "testing-a/src/b.rs"] {
            assert!(!is_for_tests(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn a_broken_tracefile_is_an_error() {
        assert!(read_one("DA:x,1", SOURCE).is_err());
        assert!(parse("DA:1,1").is_err());
        assert!(read("", Path::new("/")).is_err());
    }
}
