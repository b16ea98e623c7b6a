//! Mutants of what the last commit has changed in the engine's core are noticed by its tests.

use std::fs;

use anyhow::Context as _;

use super::Verdict;
use crate::mutants::{self, EXPLAINED, FOLDERS};
use crate::project::Project;

/// How long mutants are tried, in seconds.
const SECONDS: u32 = 180;

/// Tries mutants of the last commit until the time is over.
pub(super) fn check(project: &Project) -> anyhow::Result<Verdict> {
    let Some(diff) = diff_of_last_commit(project)? else {
        return Ok(Verdict::NotRun("the commit has no parent here".to_owned()));
    };
    if diff.is_empty() {
        let what = "nothing has changed in machine, driver and pool since the last commit's parent";
        return Ok(Verdict::NotRun(what.to_owned()));
    }
    let file = project.target().join("last-commit.diff");
    fs::write(&file, diff).with_context(|| file.display().to_string())?;
    let selection = ["--in-diff".to_owned(), file.display().to_string()];
    let outcome = mutants::run(project, &selection.each_ref().map(String::as_str), Some(SECONDS))?;
    let tried = outcome.tried();
    if tried == 0 {
        let slow = outcome.timed_out;
        let reason =
            format!("no mutant was tested to the end in {SECONDS} s; {slow} took too long");
        return Ok(Verdict::NotRun(reason));
    }
    let issues = outcome.issues(project)?;
    let repair = format!("by hand: a test that notices, or a line with the reason in {EXPLAINED}");
    Ok(Verdict::of_issues(&issues, format!("{tried} mutants of the last commit"), &repair))
}

/// The changes of the last commit in the engine's core; `None` if its parent is not here.
fn diff_of_last_commit(project: &Project) -> anyhow::Result<Option<Vec<u8>>> {
    let git = |arguments: &[&str]| {
        let mut git = std::process::Command::new("git");
        git.args(arguments).current_dir(project.root()).output().context("cannot start git")
    };
    if !git(&["rev-parse", "--verify", "--quiet", "HEAD^"])?.status.success() {
        return Ok(None);
    }
    // Of the tree as it is, which is what is copied.
    let mut arguments = vec!["diff", "--no-ext-diff", "--no-renames"];
    arguments.extend(["--src-prefix=a/", "--dst-prefix=b/", "HEAD^", "--"]);
    arguments.extend(FOLDERS);
    Ok(Some(git(&arguments)?.stdout))
}
