//! The planted bugs fit the code, and the simulator catches one of them.

use std::process::Command;

use super::Verdict;
use crate::bugs::{self, PlantedBug, ScratchCopy};
use crate::project::Project;

/// Every planted bug must apply, and the one that the commit picks must be caught.
pub(super) fn check(project: &Project) -> anyhow::Result<Verdict> {
    let repair = format!("by hand, in {}; `cargo xtask soak bugs` plays all", bugs::FOLDER);
    let planted = PlantedBug::read_all(project)?;
    let copy = ScratchCopy::new(project)?;
    let unfit: Vec<_> = planted.iter().filter_map(|bug| copy.check(bug).err()).collect();
    if !unfit.is_empty() {
        let issues: Vec<_> = unfit.iter().map(|error| format!("{error:#}")).collect();
        return Ok(Verdict::failed(issues.join("\n"), repair));
    }
    let bug = &planted[pick(commit(project).as_deref(), planted.len())];
    Ok(match bug.judge(copy.play(bug)?) {
        Ok(caught) => Verdict::Passed(format!(
            "{} planted bugs apply; `{}` is caught after {} cases by {}",
            planted.len(),
            bug.name,
            caught.cases,
            caught.law
        )),
        Err(error) => Verdict::failed(format!("{error:#}"), repair),
    })
}

/// The hash of the commit that is checked out; `None` in a repository without one.
fn commit(project: &Project) -> Option<String> {
    let mut git = Command::new("git");
    let output = git.args(["rev-parse", "--verify", "--quiet", "HEAD"]).current_dir(project.root());
    let output = output.output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}

/// Returns which of `count` bugs is played: by the last digits of the commit, and the first one without a commit.
fn pick(commit: Option<&str>, count: usize) -> usize {
    let digits = commit.map(str::trim_end).and_then(|hash| hash.get(hash.len().checked_sub(7)?..));
    let number = digits.and_then(|digits| usize::from_str_radix(digits, 16).ok());
    number.unwrap_or(0) % count
}

#[cfg(test)]
mod tests {
    use super::pick;

    #[test]
    fn the_commit_picks_the_bug() {
        for (commit, expected) in [
            (Some("928b077000000000000000000000000000000009\n"), 1),
            (Some("0000007"), 7),
            (Some("12"), 0),
            (None, 0),
        ] {
            assert_eq!(pick(commit, 8), expected, "{commit:?}");
        }
    }
}
