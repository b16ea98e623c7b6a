//! Processes of this test binary that use a journal: each runs the one test [`child`] with a job in its environment.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::{disk_full, kill, memory, races};

const JOB: &str = "ORCH_MEMORY_TEST_JOB";
const FILE: &str = "ORCH_MEMORY_TEST_FILE";

/// A child process that talks through lines.
pub(crate) struct Worker {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    /// Starts a child that does `job` with the journal at `file`.
    pub(crate) fn start(job: &str, file: &Path) -> Self {
        Self::spawn(Command::new(std::env::current_exe().unwrap()), job, file)
    }

    /// Starts one that cannot make any file longer than so many KiB, and whose writes then fail.
    pub(crate) fn start_limited(job: &str, file: &Path, kib: u32) -> Self {
        let mut shell = Command::new("bash");
        let script = format!("trap '' XFSZ; ulimit -f {kib}; exec \"$0\" \"$@\"");
        shell.args(["-c", &script]).arg(std::env::current_exe().unwrap());
        Self::spawn(shell, job, file)
    }

    fn spawn(mut command: Command, job: &str, file: &Path) -> Self {
        let mut child = command
            .args(["--exact", "children::child", "--nocapture", "--test-threads=1"])
            .env(JOB, job)
            .env(FILE, file)
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
    let (Ok(job), Ok(file)) = (std::env::var(JOB), std::env::var(FILE)) else { return };
    let file = Path::new(&file);
    match job.split_once(' ').unwrap_or((&job, "")) {
        ("append_until_killed", _) => kill::append_until_killed(file).await,
        ("append_until_full", _) => disk_full::append_until_full(file).await,
        ("fold", offset) => memory::fold_many(file, offset).await,
        ("race", name) => races::race(file, name).await,
        ("open", _) => races::open_at_once(file).await,
        (other, _) => panic!("no job `{other}`"),
    }
}
