//! A disk that is full, a file that may not grow, a store that others have locked: `orch` waits quietly, ends in time when it
//! is told to, and loses nothing.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use orch_core::journal::Recorded;
use orch_core::{Event, RunId};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::support::{Project, Started, WORKERS, no_child_is_left_of, sleeping, tell, timed};

/// Says how long the disk stays full, in seconds.
const SECONDS: &str = "ORCH_TEST_FULL_DISK_SECONDS";
/// How long it stays full unless the variable says otherwise.
const SHORT: u64 = 3;
/// The most of a core that waiting may take, in percent.
const MOST_CPU: f64 = 3.0;
/// The most lines that may be said in a minute, or in less.
const MOST_LINES: u64 = 10;
/// How long a process may take to end: 5 s of grace and 2 s.
const IN_TIME: Duration = Duration::from_secs(7);
/// What is said when a store begins to refuse, and when it works again.
const REFUSES: &str = "the store refuses";
const WORKS: &str = "the store works again";
/// Returns how many subtasks each run has: many runs take longer to begin, and none may be over by then.
fn subtasks() -> usize {
    if seconds() > SHORT { 60 } else { 12 }
}

/// Four at once, so that a run goes on for more than a second.
fn config() -> String {
    WORKERS.replace("max_concurrency: 100", "max_concurrency: 4")
}

/// What keeps a store from growing.
enum Lack {
    /// A small file system of its own, filled up.
    Disk(Tmpfs),
    /// A limit on the size of files, for each process.
    Limit,
}

impl Lack {
    fn begin(&self, runs: &[Started]) {
        match self {
            Self::Disk(disk) => disk.fill(),
            Self::Limit => runs.iter().for_each(|run| limit(run.pid(), Some(4_096))),
        }
    }

    fn end(&self, runs: &[Started]) {
        match self {
            Self::Disk(disk) => disk.free(),
            Self::Limit => runs.iter().for_each(|run| limit(run.pid(), None)),
        }
    }
}

fn limit(pid: u32, bytes: Option<u64>) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap());
    prlimit(pid, Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
}

/// A file system of 6 MiB over the folder of a store, gone with this value.
struct Tmpfs {
    folder: PathBuf,
}

impl Tmpfs {
    /// `None`, and a line that says why, where file systems may not be mounted.
    fn mount(folder: &Path) -> Option<Self> {
        fs::create_dir_all(folder).unwrap();
        let mut mount = Command::new("mount");
        let mounted =
            mount.args(["-t", "tmpfs", "-o", "size=6m,mode=700", "tmpfs"]).arg(folder).output();
        let why = match mounted {
            Ok(output) if output.status.success() => {
                return Some(Self { folder: folder.to_owned() });
            }
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        tell(&format!("NOT RUN: a full disk, as no file system can be mounted here: {why}"));
        None
    }

    fn fill(&self) {
        let mut file = File::create(self.folder.join("fill")).unwrap();
        for piece in [65_536, 4_096, 1] {
            while file.write_all(&vec![0; piece]).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.folder.join("fill")).unwrap();
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["--lazy"]).arg(&self.folder).status();
    }
}

fn seconds() -> u64 {
    std::env::var(SECONDS).map_or(SHORT, |text| text.parse().unwrap())
}

fn project() -> Project {
    Project::new(&[("orch.yaml", &config()), ("task.yaml", &sleeping(subtasks(), 0.3))])
}

/// Starts runs, and waits until each has a result.
fn begin(project: &Project, count: usize) -> (Vec<Started>, Vec<RunId>) {
    let mut runs: Vec<Started> = (0..count).map(|_| project.start(&["run", "task.yaml"])).collect();
    let ids = runs.iter_mut().map(Started::run).collect();
    runs.iter_mut().for_each(|run| drop(run.until("✓ ")));
    (runs, ids)
}

/// Returns the time of the processor that a process has taken, without that of its children.
fn cpu(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name of the program, which may have blanks, is in brackets; two times stand 12 and 13 fields behind it.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    let per_second = rustix::param::clock_ticks_per_second();
    Duration::from_millis(ticks * 1_000 / per_second)
}

/// Waits, and checks that the processes do not work meanwhile.
fn are_idle(runs: &[Started]) {
    let seconds = seconds();
    let before: Vec<Duration> = runs.iter().map(|run| cpu(run.pid())).collect();
    // The promise is about what happens in this time.
    std::thread::sleep(Duration::from_secs(seconds));
    for (run, before) in runs.iter().zip(before) {
        let share = (cpu(run.pid()) - before).as_secs_f64() / seconds as f64 * 100.0;
        tell(&format!("waiting {seconds} s: {share:.2}% of a core"));
        assert!(share < MOST_CPU, "{share:.2}% of a core");
    }
}

/// Checks how much was said from the first refusal on until the store worked again.
fn was_quiet(stderr: &str) {
    let since = stderr.split_once(REFUSES).unwrap().1;
    let lines = since.split_once(WORKS).unwrap().0.lines().count() as u64;
    tell(&format!("{lines} lines meanwhile"));
    assert!(lines <= MOST_LINES * seconds().div_ceil(60), "{stderr}");
}

/// Checks that a run was done once, and wholly.
fn is_whole(project: &Project, run: RunId) {
    let events = project.events(run);
    let count = |wanted: fn(&Event) -> bool| {
        events.iter().filter(|recorded: &&Recorded| wanted(&recorded.event)).count()
    };
    assert_eq!(count(|event| matches!(event, Event::SubtaskCompleted { .. })), subtasks());
    assert_eq!(count(|event| matches!(event, Event::RunEnded { .. })), 1);
}

fn waits_quietly_and_goes_on(project: &Project, lack: &Lack) {
    let count = if seconds() > SHORT { 8 } else { 2 };
    let (mut runs, ids) = begin(project, count);
    lack.begin(&runs);
    for run in &mut runs {
        run.until_says(REFUSES);
    }
    are_idle(&runs);
    lack.end(&runs);
    for (run, id) in runs.into_iter().zip(ids) {
        let done = run.finish().exits(0);
        was_quiet(&done.stderr);
        assert!(!done.stderr.contains('\u{1b}'), "no colours in a pipe: {}", done.stderr);
        is_whole(project, id);
    }
}

fn ends_in_time_and_can_be_resumed(project: &Project, lack: &Lack, what: &str) {
    let (mut runs, ids) = begin(project, 1);
    lack.begin(&runs);
    let (mut run, id) = (runs.pop().unwrap(), ids[0]);
    run.until_says(REFUSES);
    run.signal(Signal::TERM);
    let (done, took) = timed(|| run.finish());
    tell(&format!("{what}: SIGTERM ended it within {:.1} s", took.as_secs_f64()));
    let done = done.exits(130);
    assert!(took < IN_TIME, "{took:?}");
    done.says(&format!("go on with: orch resume {id}"));
    no_child_is_left_of(id);
    lack.end(&[]);
    project.orch(&["resume"]).exits(0);
    is_whole(project, id);
}

#[test]
fn on_a_full_disk_runs_wait_quietly_and_end_when_there_is_space_again() {
    let project = project();
    let Some(disk) = Tmpfs::mount(&project.path().join(".orch")) else { return };
    waits_quietly_and_goes_on(&project, &Lack::Disk(disk));
}

#[test]
fn on_a_full_disk_a_run_ends_in_time_and_can_be_resumed() {
    let project = project();
    let Some(disk) = Tmpfs::mount(&project.path().join(".orch")) else { return };
    ends_in_time_and_can_be_resumed(&project, &Lack::Disk(disk), "full disk");
}

/// The system would kill a process whose file grows beyond its limit.
#[test]
fn with_a_limit_on_the_size_of_files_runs_wait_quietly_and_end_when_it_is_lifted() {
    waits_quietly_and_goes_on(&project(), &Lack::Limit);
}

async fn lock(store: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(store);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
    connection
}

/// Nothing answers while another connection holds the lock; the first try gives up after 5 s.
#[test]
fn with_a_locked_store_a_run_ends_in_time_and_can_be_resumed() {
    let project = project();
    let (mut runs, ids) = begin(&project, 1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let other = runtime.block_on(lock(&project.store()));
    let (run, id) = (runs.pop().unwrap(), ids[0]);
    run.signal(Signal::INT);
    let (done, took) = timed(|| run.finish());
    tell(&format!("locked store: SIGINT ended it within {:.1} s", took.as_secs_f64()));
    done.exits(130).says(&format!("go on with: orch resume {id}"));
    assert!(took < IN_TIME, "{took:?}");
    no_child_is_left_of(id);
    runtime.block_on(other.close()).unwrap();
    project.orch(&["resume"]).exits(0);
    is_whole(&project, id);
}
