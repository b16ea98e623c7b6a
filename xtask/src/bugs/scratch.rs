//! The copy of the workspace in which bugs are planted.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use super::{Caught, MAX_CASES, PlantedBug};
use crate::checks::tree;
use crate::project::{self, Project};

/// What the copy holds of the workspace.
const PARTS: [&str; 4] = ["Cargo.toml", "Cargo.lock", "crates", "xtask"];

/// A copy of the workspace below the target folder, with a target folder of its own: sources that differ in content only would
/// otherwise be taken for one another.
pub(crate) struct ScratchCopy<'a> {
    project: &'a Project,
    tree: PathBuf,
    /// Held as long as the copy is used: two commands would undo each other's changes.
    _lock: File,
}

impl<'a> ScratchCopy<'a> {
    /// Makes the copy, or brings that of an earlier call up to date.
    pub(crate) fn new(project: &'a Project) -> anyhow::Result<Self> {
        let folder = project.target().join("bugs");
        let copy = Self { project, tree: folder.join("tree"), _lock: lock(&folder)? };
        copy.restore()?;
        Ok(copy)
    }

    /// Makes the copy equal to the workspace. A file that is equal already is not written, so that cargo builds only what changed.
    pub(crate) fn restore(&self) -> anyhow::Result<()> {
        let root = self.project.root();
        let wanted = files(root)?;
        for path in files(&self.tree)?.iter().filter(|path| !wanted.contains(path)) {
            fs::remove_file(self.tree.join(path)).with_context(|| path.display().to_string())?;
        }
        for path in &wanted {
            let place = || path.display().to_string();
            let content = fs::read(root.join(path)).with_context(place)?;
            let copy = self.tree.join(path);
            if fs::read(&copy).is_ok_and(|present| present == content) {
                continue;
            }
            fs::create_dir_all(copy.parent().unwrap_or(&self.tree)).with_context(place)?;
            fs::write(&copy, content).with_context(place)?;
        }
        Ok(())
    }

    /// Fails, with the bug's name, unless its patch fits the sources as they are.
    pub(crate) fn check(&self, bug: &PlantedBug) -> anyhow::Result<()> {
        self.apply(bug, &["--check"])
    }

    /// Plants a bug in the copy, builds the simulator there, and plays until a law does not hold; `None` if all hold to the end.
    pub(crate) fn play(&self, bug: &PlantedBug) -> anyhow::Result<Option<Caught>> {
        self.restore()?;
        self.apply(bug, &[])?;
        self.simulate().with_context(|| format!("with `{}`", bug.name))
    }

    /// Builds the simulator of the copy as it is, and plays until a law does not hold; `None` if all hold to the end.
    pub(crate) fn simulate(&self) -> anyhow::Result<Option<Caught>> {
        let mut build = self.cargo(None);
        build.args(["build", "--quiet", "--locked", "--example", "sim"]);
        build.args(["--package", "orch-supervisor", "--features", "sim"]);
        read_output(&mut build)?;
        let mut play = Command::new(self.build().join("debug").join("examples").join("sim"));
        play.args(["--threads", "1", "--cases", &MAX_CASES.to_string()]);
        let output = play.output().with_context(|| project::words(&play))?;
        let text = String::from_utf8_lossy(&output.stdout);
        match output.status.code() {
            Some(0) => Ok(None),
            Some(1) => {
                caught(&text).with_context(|| format!("the simulator said:\n{text}")).map(Some)
            }
            _ => bail!("{} ended with {}", project::words(&play), output.status),
        }
    }

    /// A cargo call in the copy, which `timeout` ends after `seconds` if given.
    pub(crate) fn cargo(&self, seconds: Option<u32>) -> Command {
        let plain = self.project.cargo([""; 0]);
        let mut command = match seconds {
            Some(seconds) => {
                let mut timeout = Command::new("timeout");
                timeout.args(["--signal=INT", "--kill-after=20", &seconds.to_string()]);
                timeout.arg(plain.get_program());
                timeout
            }
            None => Command::new(plain.get_program()),
        };
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("CARGO_TARGET_DIR", self.build()).current_dir(&self.tree);
        command.env("CARGO_PROFILE_DEV_DEBUG", "0");
        command
    }

    /// The target folder of the copy.
    fn build(&self) -> PathBuf {
        self.project.target().join("bugs").join("build")
    }

    fn apply(&self, bug: &PlantedBug, options: &[&str]) -> anyhow::Result<()> {
        let mut git = Command::new("git");
        git.arg("apply").args(options).arg(&bug.patch).current_dir(&self.tree);
        // The copy lies inside a repository, in which git would look for the files elsewhere.
        git.env("GIT_CEILING_DIRECTORIES", self.project.target());
        read_output(&mut git)
            .with_context(|| format!("the planted bug `{}` no longer fits the code", bug.name))
    }
}

/// Makes `folder`, and keeps other commands out of it until the file is closed.
fn lock(folder: &Path) -> anyhow::Result<File> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let path = folder.join("lock");
    let file = File::create(&path).with_context(|| path.display().to_string())?;
    file.try_lock()
        .with_context(|| format!("another `cargo xtask` uses {}; wait for it", folder.display()))?;
    Ok(file)
}

/// The files of a workspace that are copied, relative to `root`; none if there is no `root` yet.
fn files(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !root.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = tree::files(root, |_| true).with_context(|| root.display().to_string())?;
    files.retain(|path| PARTS.iter().any(|part| path.starts_with(part)));
    Ok(files)
}

/// Runs a command, and fails with what it wrote if it fails.
fn read_output(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| project::words(command))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {}", project::words(command), said.trim_end());
    Ok(())
}

/// Reads from the simulator's output how many cases were played, and which law did not hold in the first that failed.
fn caught(output: &str) -> Option<Caught> {
    let number = |text: &str| text.parse::<u64>().ok();
    let cases = output.lines().find_map(|line| number(line.split_once(" cases in ")?.0))?;
    let law = output.lines().find_map(|line| {
        let (times, violation) = line.split_once(" times ")?;
        number(times)?;
        Some(violation.split_once(':')?.0.to_owned())
    })?;
    Some(Caught { cases, law })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_broken_law_is_read() {
        let output = "\
           9  lost appends
17 cases in 0.1 s, 170 cases/s
1 times OneAcceptance: run 3: subtask 2 is accepted twice
  replay with: cargo xtask sim --seed 16 --size 5 --faults 2 --trace
";
        assert_eq!(caught(output), Some(Caught { cases: 17, law: "OneAcceptance".into() }));
        assert_eq!(caught("17 cases in 0.1 s, 170 cases/s\n"), None);
        assert_eq!(caught(""), None);
    }
}
