//! Processes of this test binary that use a journal: each runs the one test [`child`] with a job in its environment.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::{disk_full, folds, kill, races};

const JOB: &str = "ORCH_MEMORY_TEST_JOB";
const PLACE: &str = "ORCH_MEMORY_TEST_PLACE";

/// A child process that talks through lines.
pub(crate) struct Worker {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    /// Starts a child that does `job` with the journal at `place`.
    pub(crate) fn start(job: &str, place: impl AsRef<OsStr>) -> Self {
        Self::spawn(Command::new(std::env::current_exe().unwrap()), job, place)
    }

    /// Starts one that cannot make any file longer than so many KiB, and whose writes then fail.
    pub(crate) fn start_limited(job: &str, place: impl AsRef<OsStr>, kib: u32) -> Self {
        let mut shell = Command::new("bash");
        let script = format!("trap '' XFSZ; ulimit -f {kib}; exec \"$0\" \"$@\"");
        shell.args(["-c", &script]).arg(std::env::current_exe().unwrap());
        Self::spawn(shell, job, place)
    }

    fn spawn(mut command: Command, job: &str, place: impl AsRef<OsStr>) -> Self {
        let mut child = command
            .args(["--exact", "children::child", "--nocapture", "--test-threads=1"])
            .env(JOB, job)
            .env(PLACE, place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Returns the next thing that the child said by [`say`]; `None` when it has ended.
    pub(crate) fn hear(&mut self) -> Option<String> {
        loop {
            let line = self.lines.next()?.unwrap();
            // The test harness may have begun the line.
            if let Some((_, said)) = line.split_once("<<") {
                return Some(said.trim_end_matches(">>").to_owned());
            }
        }
    }

    /// Lets a child go on that waits in [`wait_for_word`].
    pub(crate) fn tell(&mut self) {
        writeln!(self.child.stdin.as_mut().unwrap(), "go").unwrap();
    }

    /// Kills the child as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Waits for the child's end and returns whether it was a good one.
    pub(crate) fn ends_well(mut self) -> bool {
        while self.hear().is_some() {}
        self.child.wait().unwrap().success()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Tells the parent something.
#[expect(
    clippy::print_stdout,
    reason = "the child's way to the parent, which clippy does not take for a test"
)]
pub(crate) fn say(what: impl std::fmt::Display) {
    println!("<<{what}>>");
}

/// Waits until the parent says so.
pub(crate) fn wait_for_word() {
    std::io::stdin().lines().next().unwrap().unwrap();
}

/// What children do; does nothing in the parent.
#[tokio::test]
async fn child() {
    let (Ok(job), Ok(place)) = (std::env::var(JOB), std::env::var(PLACE)) else { return };
    match job.split_once(' ').unwrap_or((&job, "")) {
        ("append_until_killed", _) => kill::append_until_killed(&place).await,
        ("append_until_full", _) => disk_full::append_until_full(place.as_ref()).await,
        ("fold", offset) => folds::fold_many(&place, offset).await,
        ("fold_until_killed", _) => folds::fold_until_killed(&place).await,
        ("race", name) => races::race(&place, name).await,
        ("open", _) => races::open_at_once(&place).await,
        (other, _) => panic!("no job `{other}`"),
    }
}
