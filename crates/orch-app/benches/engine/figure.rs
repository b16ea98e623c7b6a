//! What is measured, and how it is printed.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::process::Process;
use crate::{engine, floor};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What does the work.
#[derive(Clone, Copy)]
pub(crate) enum Subject {
    /// The engine with the parts that its builder has by default.
    Engine,
    /// The engine with the parts that `orch` puts into it.
    Wired,
    /// The least that could do the same: a `JoinSet`, or bare sqlx.
    Floor,
}

/// Where the state is kept.
#[derive(Clone, Copy)]
pub(crate) enum Store {
    Memory,
    SqliteNormal,
    SqliteFull,
}

/// What depends on what.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// N independent subtasks, then one that has them all as inputs.
    Fan,
    /// N subtasks in sequence, each with the one before as input.
    Chain,
}

/// One figure: a subject at work on `n` subtasks.
#[derive(Clone, Copy)]
pub(crate) struct Figure {
    pub(crate) subject: Subject,
    pub(crate) store: Store,
    pub(crate) shape: Shape,
    pub(crate) n: usize,
}

/// Takes the time of what lies between its start and `stop`; memory and writes are measured over the same span.
pub(crate) struct Stopwatch<'a> {
    count: Count<'a>,
    allocated: Option<(usize, usize)>,
    process: Process,
    start: Instant,
}

/// Returns how many allocations there were so far, and their bytes; nothing when nobody counts.
pub(crate) type Count<'a> = &'a dyn Fn() -> Option<(usize, usize)>;

/// What was used between start and stop.
pub(crate) struct Used {
    time: Duration,
    peak_kib: u64,
    written: u64,
    allocated: Option<(usize, usize)>,
}

impl<'a> Stopwatch<'a> {
    #[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
    pub(crate) fn start(count: Count<'a>) -> Self {
        Self { count, allocated: count(), process: Process::now(), start: Instant::now() }
    }

    pub(crate) fn stop(self) -> Used {
        let time = self.start.elapsed();
        let (before, now) = (self.process, Process::now());
        let apart =
            |(count, bytes): (usize, usize), (count0, bytes0)| (count - count0, bytes - bytes0);
        Used {
            time,
            peak_kib: now.peak_kib.saturating_sub(before.resident_kib),
            written: now.written - before.written,
            allocated: (self.count)().zip(self.allocated).map(|(now, before)| apart(now, before)),
        }
    }
}

/// Measures the figure that the arguments name and prints it.
pub(crate) fn main(count: Count<'_>) -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let Some(figure) = Figure::parse(&words) else {
        eprintln!("one figure: engine|wired|floor memory|sqlite-normal|sqlite-full fan|chain N");
        eprintln!("all figures: cargo xtask bench engine");
        return ExitCode::from(2);
    };
    match measure(figure, count) {
        Ok(used) => {
            print(&used);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(figure: Figure, count: Count<'_>) -> Outcome<Used> {
    let folder = tempfile::tempdir()?;
    let path: &Path = &folder.path().join("orch.db");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        match figure.subject {
            Subject::Engine | Subject::Wired => engine::measure(figure, path, count).await,
            Subject::Floor => floor::measure(figure, path, count).await,
        }
    })
}

#[expect(clippy::print_stdout, reason = "a bench prints its figure")]
fn print(used: &Used) {
    let allocations = used.allocated.map(|(count, _)| count);
    let allocated = used.allocated.map(|(_, bytes)| bytes);
    println!(
        "{}",
        json!({
            "seconds": used.time.as_secs_f64(),
            "peak_kib": used.peak_kib,
            "written_bytes": used.written,
            "allocations": allocations,
            "allocated_bytes": allocated,
        })
    );
}

impl Figure {
    fn parse(words: &[String]) -> Option<Self> {
        let [subject, store, shape, n] = words else { return None };
        let subject = match subject.as_str() {
            "engine" => Subject::Engine,
            "wired" => Subject::Wired,
            "floor" => Subject::Floor,
            _ => return None,
        };
        let store = match store.as_str() {
            "memory" => Store::Memory,
            "sqlite-normal" => Store::SqliteNormal,
            "sqlite-full" => Store::SqliteFull,
            _ => return None,
        };
        let shape = match shape.as_str() {
            "fan" => Shape::Fan,
            "chain" => Shape::Chain,
            _ => return None,
        };
        Some(Self { subject, store, shape, n: n.parse().ok()? })
    }
}
