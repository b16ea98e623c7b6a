//! Mutants: small changes of the engine's core that cargo-mutants makes in the scratch copy, and that a test must notice.
//!
//! A survivor is a mutant with which all tests of orch-supervisor pass: a test is missing, or the change makes no difference. Those of the
//! second kind stand in [`EXPLAINED`] with the reason.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::bugs::ScratchCopy;
use crate::project::{self, Project};
use crate::tools;

/// The folders whose code is changed.
pub(crate) const FOLDERS: [&str; 3] = [
    "crates/orch-supervisor/src/machine",
    "crates/orch-supervisor/src/driver",
    "crates/orch-supervisor/src/pool",
];

/// The file of survivors that are no gap of the tests: a line `MUTANT | REASON` each, without line numbers.
pub(crate) const EXPLAINED: &str = "crates/orch-supervisor/mutants.txt";

/// What became of mutants.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Mutants that a test noticed.
    pub(crate) caught: Vec<String>,
    /// How many ran out of time: they hang, or the machine is slow.
    pub(crate) timed_out: usize,
    /// Mutants with which all tests pass.
    pub(crate) survivors: Vec<String>,
    /// How many did not compile.
    pub(crate) unviable: usize,
}

impl Outcome {
    /// Returns how many mutants were tested to the end.
    pub(crate) fn tried(&self) -> usize {
        self.caught.len() + self.survivors.len()
    }

    /// Returns what contradicts the file of explanations: survivors without one, and explanations of mutants that were caught.
    pub(crate) fn issues(&self, project: &Project) -> anyhow::Result<Vec<String>> {
        let text = fs::read_to_string(project.root().join(EXPLAINED)).context(EXPLAINED)?;
        self.issues_with(&text)
    }

    fn issues_with(&self, explanations: &str) -> anyhow::Result<Vec<String>> {
        let mut explained = explained(explanations)?;
        let mut issues = Vec::new();
        for survivor in &self.survivors {
            match explained.iter().position(|mutant| mutant == survivor) {
                Some(place) => drop(explained.swap_remove(place)),
                None => issues.push(format!("no test notices: {survivor}")),
            }
        }
        let stale = explained.iter().filter(|mutant| self.caught.contains(mutant));
        issues
            .extend(stale.map(|mutant| format!("explained in {EXPLAINED}, but caught: {mutant}")));
        Ok(issues)
    }
}

/// Tries the mutants that `selection` (arguments of cargo-mutants) leaves, one after the other, for at most `seconds` if given.
pub(crate) fn run(
    project: &Project,
    selection: &[&str],
    seconds: Option<u32>,
) -> anyhow::Result<Outcome> {
    tools::MUTANTS.require(project)?;
    let copy = ScratchCopy::new(project)?;
    let output = project.target().join("bugs");
    let found = output.join("mutants.out");
    if found.is_dir() {
        fs::remove_dir_all(&found).with_context(|| found.display().to_string())?;
    }
    copy.build_tests()?;
    let mut command = copy.mutants(&output, seconds);
    command
        .args(FOLDERS.iter().flat_map(|folder| ["--file".to_owned(), format!("{folder}/**/*.rs")]));
    if seconds.is_some() {
        // A check says what it found when it is done; a soak shows its progress.
        command.stdout(Stdio::null());
        // CI has run the tests of the sound engine already: all the time is for mutants.
        command.args(["--baseline", "skip", "--timeout", "120"]);
    }
    command.args(selection).args(["--", "--locked", "--lib", "--test", "it"]);
    let status = command.status().with_context(|| project::words(&command))?;
    match status.code() {
        // All caught, some survived, some hung.
        Some(0 | 2 | 3) => read(&found),
        // `timeout` has ended it, with a kill if it had to.
        Some(124 | 137) if seconds.is_some() => read(&found),
        _ => bail!("{} ended with {status}", project::words(&command)),
    }
}

impl ScratchCopy<'_> {
    /// Builds the tests of the sound engine: if that fails, no mutant compiles either, which would look like nothing to find. And the
    /// time of a check is not spent on it.
    fn build_tests(&self) -> anyhow::Result<()> {
        let mut build = self.cargo(None);
        build.args(["test", "--quiet", "--locked", "--no-run", "--package", "orch-supervisor"]);
        project::run(build.args(["--lib", "--test", "it"]))
    }

    /// The call of cargo-mutants in the copy, which it changes and restores.
    fn mutants(&self, output: &Path, seconds: Option<u32>) -> Command {
        let mut command = self.cargo(seconds);
        command.args(["mutants", "--in-place", "--no-shuffle", "--colors", "never", "--output"]);
        command.arg(output).args(["--package", "orch-supervisor", "--minimum-test-timeout", "120"]);
        command
    }
}

/// Reads the lists that cargo-mutants leaves; one that is missing is empty.
fn read(folder: &Path) -> anyhow::Result<Outcome> {
    let list = |name: &str| -> anyhow::Result<Vec<String>> {
        let path = folder.join(name);
        if !path.exists() {
            return Ok(Vec::new());
        }
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(text.lines().map(without_place).collect())
    };
    Ok(Outcome {
        caught: list("caught.txt")?,
        timed_out: list("timeout.txt")?.len(),
        survivors: list("missed.txt")?,
        unviable: list("unviable.txt")?.len(),
    })
}

/// Returns a mutant's name without line and column, which change with every edit: `PATH:LINE:COLUMN: WHAT` becomes `PATH: WHAT`.
fn without_place(mutant: &str) -> String {
    let Some((place, what)) = mutant.split_once(": ") else { return mutant.to_owned() };
    let path = place.split(':').next().unwrap_or(place);
    format!("{path}: {what}")
}

/// Reads the explained mutants; each line needs a reason.
fn explained(text: &str) -> anyhow::Result<Vec<String>> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| match line.split_once(" | ") {
            Some((mutant, reason)) if !reason.trim().is_empty() => Ok(mutant.to_owned()),
            _ => bail!("{EXPLAINED}: a line is not `MUTANT | REASON`: {line}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(caught: &[&str], survivors: &[&str]) -> Outcome {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Outcome { caught: names(caught), survivors: names(survivors), ..Outcome::default() }
    }

    #[test]
    fn each_survivor_needs_an_explanation_of_its_own() {
        let text = "# why\n\nf.rs: replace a | a log line\n";
        let issues = |outcome: Outcome| outcome.issues_with(text).unwrap();
        assert!(issues(outcome(&["f.rs: replace b"], &["f.rs: replace a"])).is_empty());
        let new = "no test notices: f.rs: replace b";
        assert_eq!(issues(outcome(&[], &["f.rs: replace b", "f.rs: replace a"])), [new]);
        let twice = "no test notices: f.rs: replace a";
        assert_eq!(issues(outcome(&[], &["f.rs: replace a", "f.rs: replace a"])), [twice]);
        let stale = format!("explained in {EXPLAINED}, but caught: f.rs: replace a");
        assert_eq!(issues(outcome(&["f.rs: replace a"], &[])), [stale]);
        assert!(issues(outcome(&[], &[])).is_empty(), "not tried, so nothing is known");
    }

    #[test]
    fn an_explanation_without_a_reason_is_refused() {
        for text in ["f.rs: replace a", "f.rs: replace a | "] {
            assert!(outcome(&[], &[]).issues_with(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_have_no_lines() {
        let name = "a/b.rs:12:5: replace f -> Option<A::B> with None";
        assert_eq!(without_place(name), "a/b.rs: replace f -> Option<A::B> with None");
    }
}
