//! What learning costs, and what a snapshot costs once much was learned: `cargo xtask bench memory`.
//!
//! Outcomes of 50 workers at 200 types of subtask, ten to a run, spread over two years. Runs come from a journal in memory, so that
//! nothing but learning is measured: a fold is reading the run's events, adding what they say, and the commit. Medians.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench prints, reads the clock, and stops when something fails"
)]

#[path = "../tests/it/lesson.rs"]
mod lesson;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lesson::{Lesson, Try, done, failed};
use orch_core::journal::MemoryJournal;
use orch_core::{Cause, ComplexTask, Memory, ProjectId, RunId, Subtask};
use orch_memory::{LearnedMemory, SqliteOptions, Synchronous};

const WORKERS: u32 = 50;
const TYPES: u32 = 200;
const PER_RUN: u32 = 10;
const DAYS: u32 = 730;
/// How many runs are learned from between two openings of the file.
const BATCH: u32 = 1_000;
const ROUNDS: u32 = 51;

#[tokio::main]
async fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let most = if quick { 100_000 } else { 1_000_000 };
    println!(
        "| outcomes | snapshot | snapshot after opening | slice | fold of 1 | fold of 10 | file MiB | learned in s |"
    );
    println!("|--:|--:|--:|--:|--:|--:|--:|--:|");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orch.db");
    let mut runs = 0;
    let mut spent = Duration::ZERO;
    for outcomes in [10_000, most] {
        while runs * PER_RUN < outcomes {
            let batch: Vec<Lesson> = (runs..runs + BATCH).map(made_up).collect();
            spent += learn(&file, &batch).await;
            runs += BATCH;
        }
        figures(&file, outcomes, spent).await;
    }
}

/// Opens the memory with a journal that has `lessons`.
async fn open(file: &Path, lessons: &[Lesson]) -> LearnedMemory {
    let journal = MemoryJournal::new();
    for lesson in lessons {
        lesson.append_all(&journal).await;
    }
    let options = SqliteOptions::new().with_synchronous(Synchronous::Normal);
    LearnedMemory::sqlite(file, &options, Arc::new(journal)).await.unwrap()
}

async fn learn(file: &Path, lessons: &[Lesson]) -> Duration {
    let memory = open(file, lessons).await;
    let runs: Vec<RunId> = lessons.iter().map(Lesson::id).collect();
    let since = Instant::now();
    assert_eq!(memory.fold_runs(&runs).await.unwrap(), runs.len());
    since.elapsed()
}

async fn figures(file: &Path, outcomes: u32, spent: Duration) {
    let project = ProjectId::new("p");
    let task = |n: u32| {
        let run = made_up(n * 7);
        ComplexTask::new("t", run.text, run.task_type)
    };
    let ones: Vec<Lesson> = (0..ROUNDS).map(|n| made_up(ONE + outcomes + n)).collect();
    let tens: Vec<Lesson> = (0..ROUNDS).map(|n| made_up(TEN + outcomes + n)).collect();
    let memory = open(file, &[&ones[..], &tens[..]].concat()).await;
    let (mut warm, mut cold, mut slices, mut one, mut ten) =
        (vec![], vec![], vec![], vec![], vec![]);
    for n in 0..ROUNDS {
        let since = Instant::now();
        let learned = memory.snapshot(&project, &task(n)).await.unwrap().learned;
        warm.push(since.elapsed());
        assert!(learned.workers.len() == TYPES as usize && !learned.similar.is_empty());
        let subtask = Subtask::new("s", made_up(n).text, "type1");
        let since = Instant::now();
        memory.slice(&project, &"worker1".into(), &subtask, 2_000).await.unwrap();
        slices.push(since.elapsed());
        for (lessons, times) in [(&ones, &mut one), (&tens, &mut ten)] {
            let run = lessons[n as usize].id();
            let since = Instant::now();
            assert!(memory.fold(run).await.unwrap());
            times.push(since.elapsed());
        }
        let memory = open(file, &[]).await;
        let since = Instant::now();
        memory.snapshot(&project, &task(n)).await.unwrap();
        cold.push(since.elapsed());
    }
    let size = std::fs::metadata(file).unwrap().len() >> 20;
    let [warm, cold, slices, one, ten] = [warm, cold, slices, one, ten].map(median);
    let spent = spent.as_secs_f64();
    println!("| {outcomes} | {warm} | {cold} | {slices} | {one} | {ten} | {size} | {spent:.0} |");
}

fn median(mut all: Vec<Duration>) -> String {
    all.sort();
    format!("{:.2} ms", all[all.len() / 2].as_secs_f64() * 1e3)
}

/// Numbers from here on have one subtask.
const ONE: u32 = 2_000_000_000;
/// Numbers from here on are as the rest, and in nobody's way.
const TEN: u32 = 1_000_000_000;

/// The run with this number: the same whenever it is asked for.
fn made_up(number: u32) -> Lesson {
    const WORDS: [&str; 16] = [
        "audit", "payment", "service", "login", "report", "parser", "deploy", "schema", "index",
        "invoice", "migrate", "cache", "retry", "stream", "verify", "customer",
    ];
    let mut state = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut draw = |below: u32| {
        // xorshift64*: good enough to look like life.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        u32::try_from(state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % below
    };
    let text: Vec<&str> = (0..12).map(|_| WORDS[draw(16) as usize]).collect();
    let count = if number >= ONE { 1 } else { PER_RUN };
    let tries: Vec<Try> = (0..count)
        .map(|_| {
            let (task_type, worker) =
                (format!("type{}", draw(TYPES)), format!("worker{}", draw(WORKERS)));
            match draw(5) {
                0 => failed(&task_type, &worker, Cause::Timeout),
                _ => done(&task_type, &worker, u64::from(draw(60_000))),
            }
        })
        .collect();
    let day = i32::try_from(20_000 + number / 140 % DAYS).unwrap();
    let task_type = format!("type{}", draw(TYPES));
    Lesson { day, task_type, ..Lesson::new(number, &text.join(" "), tries) }
}
