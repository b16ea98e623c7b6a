//! A project in a folder of its own, and the binary in it.

use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use orch_core::journal::Recorded;
use orch_core::{Journal, RunId, Seq};
use orch_memory::testing::TestDatabase;
use orch_memory::{PostgresJournal, PostgresOptions, SqliteJournal, SqliteOptions};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Workers that wait as long as their subtask says, and one that fails.
pub(crate) const WORKERS: &str = r#"
strategy: parallel
retry: { max_retries: 0 }
workers:
  sleeper:
    command: [sh, -c, "sleep {{ subtask.context.seconds }}; echo slept"]
    capabilities: [{ name: sleep, task_types: [sleep] }]
    max_concurrency: 100
  failer:
    command: [sh, -c, "echo out of order >&2; exit 1"]
    capabilities: [{ name: fail, task_types: [fail] }]
"#;

/// Says a figure that a test has seen. Not by `println!`, which the test harness keeps to itself when all goes well.
pub(crate) fn tell(figure: &str) {
    let _ = writeln!(std::io::stderr(), "{figure}");
}

/// Where the stores of tests are listed: not in the home folder of who runs them.
pub(crate) fn state_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("state")
}

/// A folder with files, gone with this value.
pub(crate) struct Project {
    folder: tempfile::TempDir,
    /// Where its runs are kept; in its folder when there is none.
    database: Option<TestDatabase>,
}

impl Project {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap(), database: None };
        for (name, text) in files {
            project.write(name, text);
        }
        project
    }

    /// A project with files, `orch.yaml` among them, that keeps its runs in PostgreSQL; `None` where there is no server.
    pub(crate) fn on_postgres(files: &[(&str, &str)]) -> Option<Self> {
        let database = TestDatabase::create()?;
        let mut project = Self::new(files);
        let config = fs::read_to_string(project.path().join("orch.yaml")).unwrap();
        project.write("orch.yaml", &format!("store: {}\n{config}", database.url()));
        project.database = Some(database);
        Some(project)
    }

    /// A project with [`WORKERS`].
    pub(crate) fn with_workers(task: &str) -> Self {
        Self::new(&[("orch.yaml", WORKERS), ("task.yaml", task)])
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let file = self.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orch"));
        command.args(args).current_dir(self.path()).env_remove("ORCH_LOG").stdin(Stdio::null());
        command.env("XDG_STATE_HOME", state_dir()).env_remove("ORCH_TRUST");
        if self.is_on_postgres() {
            // A store that is a server is not used without the user's word.
            command.env("ORCH_TRUST", "1");
        }
        command
    }

    /// Runs the binary to its end.
    pub(crate) fn orch(&self, args: &[&str]) -> Done {
        Done::from_command(&mut self.command(args))
    }

    /// Starts the binary, to be watched.
    pub(crate) fn start(&self, args: &[&str]) -> Started {
        Started::from_command(&mut self.command(args))
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.path().join(".orch/orch.db")
    }

    pub(crate) fn is_on_postgres(&self) -> bool {
        self.database.is_some()
    }

    /// Returns what is in the journal.
    pub(crate) fn events(&self, run: RunId) -> Vec<Recorded> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let journal: Box<dyn Journal> = if let Some(database) = &self.database {
                let options = PostgresOptions::new().with_read_only(true);
                Box::new(PostgresJournal::open(&database.url(), options).await.unwrap())
            } else {
                let options = SqliteOptions::new().with_read_only(true);
                Box::new(SqliteJournal::open(self.store(), options).await.unwrap())
            };
            let events = journal.load(run, Seq(0)).await.unwrap();
            journal.close().await;
            events
        })
    }
}

/// What the binary did.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    pub(crate) fn from_command(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs the binary with a stdout that is no pipe of ours.
    pub(crate) fn from_stderr(command: &mut Command) -> Self {
        let output = command.stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
        Self {
            code: output.status.code().unwrap(),
            stdout: String::new(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Checks how it ended.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Returns stdout as the one document that it must be.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    /// Checks that stderr says something.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) {
        assert!(self.stderr.contains(text), "`{text}` is not in:\n{}", self.stderr);
    }
}

/// The binary while it runs. Killed with this value.
pub(crate) struct Started {
    child: Child,
    /// What it says; `None` once nobody listens any more.
    lines: Option<Lines<BufReader<ChildStderr>>>,
    /// What it said so far.
    pub(crate) said: Vec<String>,
}

impl Started {
    pub(crate) fn from_command(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, lines: Some(lines), said: Vec::new() }
    }

    /// Reads what it says until a line begins with `start`, and returns the rest of that line.
    #[track_caller]
    pub(crate) fn until(&mut self, start: &str) -> String {
        match self.hears(start) {
            Some(rest) => rest,
            None => panic!("it never said `{start}`, but:\n{}", self.said.join("\n")),
        }
    }

    /// Like [`until`](Self::until); `None` when it has ended without saying so.
    pub(crate) fn hears(&mut self, start: &str) -> Option<String> {
        for line in self.lines.iter_mut().flatten() {
            let line = line.unwrap();
            self.said.push(line.clone());
            if let Some(rest) = line.strip_prefix(start) {
                return Some(rest.to_owned());
            }
        }
        None
    }

    /// Reads what it says until a line has `text` in it.
    #[track_caller]
    pub(crate) fn until_says(&mut self, text: &str) {
        for line in self.lines.iter_mut().flatten() {
            self.said.push(line.unwrap());
            if self.said.last().is_some_and(|line| line.contains(text)) {
                return;
            }
        }
        panic!("it never said `{text}`, but:\n{}", self.said.join("\n"));
    }

    /// Waits until it says which run it is.
    #[track_caller]
    pub(crate) fn run(&mut self) -> RunId {
        self.until("run ").parse().unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Closes our end of its stderr.
    pub(crate) fn stop_listening(&mut self) {
        self.lines = None;
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Done {
        let mut stdout = String::new();
        std::io::Read::read_to_string(&mut self.child.stdout.take().unwrap(), &mut stdout).unwrap();
        self.said.extend(self.lines.iter_mut().flatten().map(Result::unwrap));
        let status = self.child.wait().unwrap();
        Done { code: status.code().unwrap_or(-1), stdout, stderr: self.said.join("\n") }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the processes that say that they belong to an attempt of `run`.
pub(crate) fn children_of(run: RunId) -> Vec<u32> {
    let name = format!("ORCH_ATTEMPT={run}/");
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| {
        // A process that has ended since has no environment any more.
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable.starts_with(name.as_bytes()))
    })
    .collect()
}

/// Waits until no process belongs to an attempt of `run`, at most a second: a killed one needs a moment to be gone.
#[track_caller]
pub(crate) fn no_child_is_left_of(run: RunId) {
    let (left, took) = timed(|| {
        for _ in 0..100 {
            if children_of(run).is_empty() {
                return Vec::new();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        children_of(run)
    });
    assert_eq!(left, [0; 0], "still there after {took:?}");
}

/// Measures what `work` takes.
#[expect(clippy::disallowed_methods, reason = "promises in seconds are measured in seconds")]
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// A task of subtasks that all wait as long.
pub(crate) fn sleeping(count: usize, seconds: f64) -> String {
    let subtasks = (0..count).map(|n| {
        format!("  - {{ id: s{n}, task_type: sleep, description: wait, context: {{ seconds: {seconds} }} }}\n")
    });
    format!("description: Wait\nsubtasks:\n{}", subtasks.collect::<String>())
}
