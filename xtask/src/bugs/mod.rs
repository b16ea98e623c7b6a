//! Planted bugs: patches that break the engine on purpose, to see that the simulator notices.
//!
//! A planted bug is `crates/orch-supervisor/src/sim/bugs/NAME.patch`: a sentence that says what is wrong, a line `Caught-by:` with the
//! laws that may catch it, and a diff of the workspace. [`ScratchCopy`] applies it to a copy of the workspace; the engine itself has no
//! trace of it.

mod scratch;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

pub(crate) use scratch::ScratchCopy;

use crate::project::Project;

/// The folder with the patches, below the root of the workspace.
pub(crate) const FOLDER: &str = "crates/orch-supervisor/src/sim/bugs";

/// The most cases that are played to catch a bug.
pub(crate) const MAX_CASES: u64 = 3_000;

/// A way in which the engine can be broken.
pub(crate) struct PlantedBug {
    /// The name of its file, without `.patch`.
    pub(crate) name: String,
    patch: PathBuf,
    /// The laws of the simulator of which one must catch it.
    laws: Vec<String>,
}

/// How the simulator caught a bug.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Caught {
    /// How many cases were played, the one that caught it included.
    pub(crate) cases: u64,
    /// The law that did not hold.
    pub(crate) law: String,
}

impl PlantedBug {
    /// Reads all planted bugs of the workspace, in the order of their names; that there is none is an error.
    pub(crate) fn read_all(project: &Project) -> anyhow::Result<Vec<Self>> {
        let folder = project.root().join(FOLDER);
        let entries =
            fs::read_dir(&folder).with_context(|| format!("cannot read the folder {FOLDER}"))?;
        let mut paths = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()
            .with_context(|| format!("cannot read the folder {FOLDER}"))?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "patch"));
        paths.sort();
        ensure!(!paths.is_empty(), "there is no planted bug in {FOLDER}");
        paths.iter().map(|path| Self::read(path)).collect()
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let laws = laws(&text).with_context(|| {
            format!("{}: there is no line `Caught-by: LAW, ..` before the diff", path.display())
        })?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name, patch: path.to_owned(), laws })
    }

    /// Fails, with the bug's name, unless one of its laws caught it.
    pub(crate) fn judge(&self, caught: Option<Caught>) -> anyhow::Result<Caught> {
        let Some(caught) = caught else {
            bail!("`{}` is not caught in {MAX_CASES} cases", self.name);
        };
        ensure!(
            self.laws.contains(&caught.law),
            "`{}` is caught by {}, not by {}: does the patch still plant what it says?",
            self.name,
            caught.law,
            self.laws.join(" or ")
        );
        Ok(caught)
    }
}

/// Returns the laws that the head of a patch names.
fn laws(patch: &str) -> Option<Vec<String>> {
    let head = patch.split("\ndiff --git ").next()?;
    let names = head.lines().find_map(|line| line.strip_prefix("Caught-by: "))?;
    Some(names.split(',').map(|name| name.trim().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws_stand_before_the_diff() {
        for (patch, expected) in [
            ("What.\nCaught-by: A, B\n\ndiff --git a b\n", Some(vec!["A", "B"])),
            ("Caught-by: A\n", Some(vec!["A"])),
            ("What.\n\ndiff --git a b\nCaught-by: A\n", None),
            ("", None),
        ] {
            let expected = expected.map(|laws| laws.into_iter().map(str::to_owned).collect());
            assert_eq!(laws(patch), expected, "{patch}");
        }
    }

    #[test]
    fn only_a_law_of_its_own_catches_a_bug() {
        let bug = PlantedBug { name: "b".into(), patch: "b.patch".into(), laws: vec!["A".into()] };
        let caught = |law: &str| Some(Caught { cases: 3, law: law.into() });
        assert_eq!(bug.judge(caught("A")).unwrap(), Caught { cases: 3, law: "A".into() });
        assert!(bug.judge(caught("B")).unwrap_err().to_string().contains("`b` is caught by B"));
        assert!(bug.judge(None).unwrap_err().to_string().contains("`b` is not caught"));
    }
}
