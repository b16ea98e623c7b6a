//! kill -9 of the real `orch run` and `orch resume` at random moments: 100 times on SQLite, also inside appends; 12 times on
//! PostgreSQL, where two processes then want to take over; or as often as `ORCH_TEST_KILLS` says (`cargo xtask soak kills`).
//!
//! What is checked after each kill: whatever the dead process had said to be done is in the journal. At the end of each run:
//! every subtask was accepted once and its output is that of the accepted attempt; nothing accepted was begun again; no two
//! attempts of one subtask overlapped (each holds a lock of the kernel for its life, and logs start and end); no child is left.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orch_core::journal::Recorded;
use orch_core::{Event, Fence, ResultSource, RunId, SubtaskIndex};
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Project, Started, no_child_is_left_of, tell};

const SUBTASKS: usize = 200;

const CONFIG: &str = r#"
strategy: parallel
limits: { max_parallel: 4 }
retry: { max_retries: 0 }
workers:
  logger:
    command: [sh, "{{ config_dir }}/work.sh", "{{ subtask.id }}", "{{ subtask.context.seconds }}"]
    capabilities: [{ name: log, task_types: [log] }]
"#;

/// Everything that the process starts inherits the lock: it is held until the last of them is dead.
const WORK: &str = r#"
exec 9>"locks/$1"
flock -n 9 || echo "overlap $1 $ORCH_ATTEMPT" >>log
echo "start $1 $ORCH_ATTEMPT $ORCH_IDEMPOTENCY_KEY" >>log
sleep "$2"
echo "end $1 $ORCH_ATTEMPT" >>log
echo "$ORCH_ATTEMPT"
"#;

#[derive(Debug, Default)]
struct Totals {
    kills: u32,
    runs: u32,
    /// Kills with at least two attempts in flight, as the journal has them.
    in_flight: u32,
    /// Kills while a thread was writing or syncing the journal's file.
    in_append: u32,
    /// Attempts that were lost by kills.
    lost: usize,
}

#[test]
fn kills_lose_nothing_and_repeat_nothing() {
    let kills = kills(100);
    let (mut totals, mut random) = (Totals::default(), Random(42));
    while totals.kills < kills {
        let files = files(&mut random);
        one_run(Project::new(&files.each()), kills, &mut totals, &mut random);
    }
    tell(&format!("kill -9: {totals:?}"));
    assert!(totals.in_flight >= kills * 7 / 10, "{totals:?}");
    assert!(totals.in_append >= kills / 10, "{totals:?}");
}

#[test]
fn on_postgres_kills_lose_nothing_and_of_two_who_take_over_one_owns() {
    let kills = kills(12);
    let (mut totals, mut random) = (Totals::default(), Random(43));
    while totals.kills < kills {
        let files = files(&mut random);
        let Some(project) = Project::on_postgres(&files.each()) else { return };
        one_run(project, kills, &mut totals, &mut random);
    }
    tell(&format!("kill -9 on PostgreSQL: {totals:?}"));
    assert!(totals.in_flight >= kills * 7 / 10, "{totals:?}");
}

/// How often a test kills: `usual` times, or as often as the environment says.
fn kills(usual: u32) -> u32 {
    std::env::var("ORCH_TEST_KILLS").map_or(usual, |kills| kills.parse().unwrap())
}

/// Kills a run again and again until it has ended all the same, or until there were enough kills and it may end.
fn one_run(project: Project, kills: u32, totals: &mut Totals, random: &mut Random) {
    let mut started = project.start(&["run", "task.yaml"]);
    let run = started.run();
    let mut seen: BTreeMap<SubtaskIndex, Fence> = BTreeMap::new();
    while totals.kills < kills {
        let Some(in_append) = kill(&mut started, !project.is_on_postgres(), random) else { break };
        let said = started.finish().stderr;
        let events = project.events(run);
        let accepted = accepted(&events);
        for done in said.lines().filter_map(|line| line.strip_prefix("✓ ")?.split(' ').next()) {
            assert!(
                accepted.contains_key(&index(done)),
                "`{done}` was said to be done and is lost"
            );
        }
        assert!(
            seen.iter().all(|(subtask, fence)| accepted.get(subtask) == Some(fence)),
            "what was accepted stays"
        );
        totals.kills += 1;
        if totals.kills.is_multiple_of(25) {
            tell(&format!("kill -9: {} of {kills}", totals.kills));
        }
        totals.in_flight += u32::from(open(&events) >= 2);
        totals.in_append += u32::from(in_append);
        seen = accepted;
        started = if project.is_on_postgres() {
            one_of_two(&project, run)
        } else {
            project.start(&["resume", &run.to_string()])
        };
    }
    let done = started.finish();
    // A run whose last process was killed while it ended has nothing left to resume. Of two that want to, one may have made that end
    // without a word, and the other was refused.
    let is_over = ["ended", "is owned by"].iter().any(|word| done.stderr.contains(word));
    assert!(done.code == 0 || is_over, "{}", done.stderr);
    totals.runs += 1;
    check(&project, run, totals);
}

/// Starts two processes at once that want to go on with the run, and returns the one that does. The other names it and ends.
fn one_of_two(project: &Project, run: RunId) -> Started {
    let [mut first, mut second] = [(); 2].map(|()| project.start(&["resume", &run.to_string()]));
    let [by_first, by_second] = std::thread::scope(|scope| {
        [&mut first, &mut second]
            .map(|one| scope.spawn(|| one.hears("resumed").is_some()))
            .map(|heard| heard.join().unwrap())
    });
    assert!(!(by_first && by_second), "the run has two owners");
    let (owner, other) = if by_second { (second, first) } else { (first, second) };
    let name = format!("orch resume (process {})", owner.pid());
    let done = other.finish();
    // What is left may be done before the other asks.
    assert!(done.stderr.contains(&name) || done.stderr.contains("ended"), "{}", done.stderr);
    owner
}

/// The files of a project.
struct Files {
    task: String,
}

impl Files {
    fn each(&self) -> [(&str, &str); 5] {
        [
            ("orch.yaml", CONFIG),
            ("task.yaml", &self.task),
            ("work.sh", WORK),
            ("locks/keep", ""),
            ("log", ""),
        ]
    }
}

fn files(random: &mut Random) -> Files {
    let subtasks = (0..SUBTASKS).map(|n| {
        let seconds = 0.02 + 0.06 * random.next();
        format!("  - {{ id: s{n}, task_type: log, description: log, context: {{ seconds: {seconds:.3} }} }}\n")
    });
    Files { task: format!("description: Log\nsubtasks:\n{}", subtasks.collect::<String>()) }
}

/// Kills at a random moment; if it may aim, a third of the times as soon after it as the journal is being written. Returns whether it was;
/// `None` when the process has ended by itself.
fn kill(started: &mut Started, may_aim: bool, random: &mut Random) -> Option<bool> {
    // What was lost is done first: so nothing is lost ten times, after which the engine would take it for the murderer.
    for _ in 0..4 + (6.0 * random.next()) as usize {
        started.hears("✓")?;
    }
    std::thread::sleep(Duration::from_secs_f64(0.06 * random.next()));
    let aimed = may_aim && random.next() < 0.34;
    let writers = Writers::of_process(started.pid());
    let mut in_append = writers.write();
    while aimed && !in_append && !started.has_ended() {
        in_append = writers.write();
    }
    if started.has_ended() {
        return None;
    }
    started.signal(Signal::KILL);
    Some(in_append)
}

/// The threads of a process that may write its journal.
struct Writers {
    /// The files in `/proc` that say in which system call each is.
    calls: Vec<PathBuf>,
    /// The numbers of the descriptors of the journal's log file, as the calls show them.
    files: Vec<String>,
}

impl Writers {
    fn of_process(pid: u32) -> Self {
        let entries = |folder: &str| {
            fs::read_dir(format!("/proc/{pid}/{folder}")).into_iter().flatten().flatten()
        };
        let threads = entries("task").map(|thread| thread.path());
        let is_sqlite = |thread: &PathBuf| {
            fs::read_to_string(thread.join("comm"))
                .is_ok_and(|name| name.starts_with("sqlx-sqlite"))
        };
        let is_log = |link: &Path| {
            fs::read_link(link).is_ok_and(|file| file.to_string_lossy().ends_with("-wal"))
        };
        Self {
            calls: threads.filter(is_sqlite).map(|thread| thread.join("syscall")).collect(),
            files: entries("fd")
                .filter(|entry| is_log(&entry.path()))
                .map(|entry| {
                    format!("0x{:x}", entry.file_name().to_str().unwrap().parse::<u32>().unwrap())
                })
                .collect(),
        }
    }

    /// Tells whether one of them is in a call that writes or syncs the journal's log file.
    fn write(&self) -> bool {
        // pwrite64, fsync, fdatasync.
        let writing: &[&str] =
            if cfg!(target_arch = "x86_64") { &["18", "74", "75"] } else { &["68", "82", "83"] };
        self.calls.iter().any(|call| {
            let text = fs::read_to_string(call).unwrap_or_default();
            let mut words = text.split(' ');
            let (number, file) =
                (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            writing.contains(&number) && self.files.iter().any(|known| known == file)
        })
    }
}

/// Checks what must hold after the end of a run.
fn check(project: &Project, run: RunId, totals: &mut Totals) {
    no_child_is_left_of(run);
    let events = project.events(run);
    let completions =
        events.iter().filter(|recorded| matches!(recorded.event, Event::SubtaskCompleted { .. }));
    assert_eq!(completions.count(), SUBTASKS, "each is accepted once");
    let accepted = accepted(&events);
    assert_eq!(accepted.len(), SUBTASKS);
    totals.lost += events
        .iter()
        .filter(|recorded| matches!(recorded.event, Event::AttemptLost { .. }))
        .count();

    let output: Value = project.orch(&["show", &run.to_string()]).exits(0).json();
    for (subtask, fence) in &accepted {
        let id = format!("s{}", subtask.0);
        assert_eq!(
            output[&id],
            format!("{run}/{fence}"),
            "the answer is that of the accepted attempt"
        );
    }
    check_log(project, run, &accepted);
}

/// The log's order is that of the kernel: every line is one append to the file.
fn check_log(project: &Project, run: RunId, accepted: &BTreeMap<SubtaskIndex, Fence>) {
    let log = fs::read_to_string(project.path().join("log")).unwrap();
    let mut last: BTreeMap<&str, &str> = BTreeMap::new();
    let mut begun = BTreeSet::new();
    for line in log.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [what, id, attempt] = words[..3] else { panic!("{line}") };
        let fence = Fence(attempt.rsplit('/').next().unwrap().parse().unwrap());
        match what {
            "start" => {
                assert_eq!(
                    words[3],
                    format!("{run}/{id}"),
                    "the key of a subtask is the same for all its attempts"
                );
                assert!(begun.insert(fence), "attempt {fence} was begun twice");
                assert!(
                    fence <= accepted[&index(id)],
                    "`{id}` was begun again after it was accepted"
                );
                last.insert(id, attempt);
            }
            "end" => {
                assert_eq!(last[id], attempt, "an attempt of `{id}` went on beside a later one")
            }
            _ => panic!("{line}: two attempts at the same time"),
        }
    }
    assert_eq!(last.len(), SUBTASKS);
}

fn index(id: &str) -> SubtaskIndex {
    SubtaskIndex(id[1..].parse().unwrap())
}

/// Returns who was accepted, by subtask.
fn accepted(events: &[Recorded]) -> BTreeMap<SubtaskIndex, Fence> {
    let of = |recorded: &Recorded| {
        let Event::SubtaskCompleted { subtask, source: ResultSource::Attempt { fence } } =
            recorded.event
        else {
            return None;
        };
        Some((subtask, fence))
    };
    events.iter().filter_map(of).collect()
}

/// Returns how many attempts were in flight.
fn open(events: &[Recorded]) -> usize {
    let mut open = BTreeSet::new();
    for recorded in events {
        if let Event::AttemptStarted { fence, .. } = &recorded.event {
            open.insert(*fence);
        } else if let Event::SubtaskCompleted { source: ResultSource::Attempt { fence }, .. }
        | Event::AttemptLost { fence, .. }
        | Event::AttemptFailed { fence, .. } = &recorded.event
        {
            open.remove(fence);
        }
    }
    open.len()
}

/// Numbers in [0, 1) that look random and are the same every time: Knuth's MMIX generator.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}
