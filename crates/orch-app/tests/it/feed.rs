//! Events on their way to a sink that is slower than the engine.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use orch_app::{Feeds, LifecycleEvent, Sink};
use orch_core::journal::MemoryJournal;
use orch_core::{ComplexTask, DecompositionPlan, Journal, RunId, Subtask, WorkerCapability};
use orch_supervisor::{SubmitOptions, Supervisor, worker_fn};
use tokio::sync::Semaphore;

/// Takes nothing before it is opened.
struct Gate {
    open: Arc<Semaphore>,
    got: Arc<Mutex<Vec<LifecycleEvent>>>,
}

#[async_trait]
impl Sink for Gate {
    async fn deliver(&mut self, events: Vec<LifecycleEvent>) -> usize {
        let _open = self.open.acquire().await.unwrap();
        self.got.lock().unwrap().extend(events);
        0
    }
}

/// A supervisor, and what a gate gets of it.
struct Watched {
    supervisor: Supervisor,
    feeds: Feeds,
    open: Arc<Semaphore>,
    got: Arc<Mutex<Vec<LifecycleEvent>>>,
}

impl Watched {
    fn new(journal: MemoryJournal) -> Self {
        let supervisor = supervisor(journal);
        let (open, got) = (Arc::new(Semaphore::new(0)), Arc::default());
        let gate = Gate { open: open.clone(), got: Arc::clone(&got) };
        let feeds = Feeds::start(&supervisor, vec![Box::new(gate)]);
        Self { supervisor, feeds, open, got }
    }

    /// Opens the gate, and returns the sequence numbers that came of each run, and the type of its last event.
    async fn all(self) -> BTreeMap<RunId, (Vec<u64>, &'static str)> {
        self.open.add_permits(1);
        assert_eq!(self.feeds.finish(Duration::from_secs(60)).await, (0, false));
        let mut runs: BTreeMap<RunId, (Vec<u64>, &'static str)> = BTreeMap::new();
        for event in self.got.lock().unwrap().iter() {
            let (seqs, last) = runs.entry(event.memory_id).or_default();
            seqs.push(event.metadata["sequence_number"].as_u64().unwrap());
            *last = event.event_type;
        }
        runs
    }
}

fn supervisor(journal: MemoryJournal) -> Supervisor {
    let echo = worker_fn("echo", [WorkerCapability::new("work", ["work"])], |ctx| async move {
        Ok(ctx.subtask.description.clone().into())
    });
    let never = worker_fn("never", [WorkerCapability::new("wait", ["wait"])], |_| async move {
        std::future::pending().await
    });
    let many = NonZeroU32::new(1_000).unwrap();
    Supervisor::builder()
        .journal(Arc::new(journal))
        .worker(echo.with_max_concurrency(many))
        .worker(never)
        .build()
}

async fn submit(supervisor: &Supervisor, task_type: &str) -> RunId {
    let plan = DecompositionPlan::new(vec![Subtask::new("a", "Do it", task_type)]);
    let task = ComplexTask::new("t", "Do it", "work");
    supervisor.submit_with(task, SubmitOptions::new().plan(plan)).await.unwrap()
}

#[tokio::test]
async fn a_sink_that_falls_far_behind_gets_all_events_of_all_runs() {
    let watched = Watched::new(MemoryJournal::new());
    for _ in 0..600 {
        let run = submit(&watched.supervisor, "work").await;
        watched.supervisor.wait(run).await.unwrap();
    }
    let runs = watched.all().await;
    assert_eq!(runs.len(), 600);
    for (run, (seqs, last)) in runs {
        assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "{run}");
        assert_eq!(last, "orchestration.ended", "{run}");
    }
}

#[tokio::test]
async fn a_run_that_was_taken_over_is_told_from_there_also_by_who_is_behind() {
    let journal = MemoryJournal::new();
    let first = supervisor(journal.clone());
    let mut events = first.subscribe();
    let run = submit(&first, "wait").await;
    let is_started = |name| name == "attempt_started";
    while !events.recv().await.unwrap().events.iter().any(|it| is_started(it.event.name())) {}
    first.shutdown(Duration::ZERO).await;
    let before = journal.row(run).await.unwrap().unwrap().seq.0;

    let watched = Watched::new(journal);
    let other = submit(&watched.supervisor, "work").await;
    watched.supervisor.wait(other).await.unwrap();
    watched.supervisor.resume(run).await.unwrap();
    watched.supervisor.shutdown(Duration::ZERO).await;
    let runs = watched.all().await;
    assert_eq!(runs.len(), 2);
    let (seqs, _) = &runs[&run];
    assert_eq!(seqs[..], (before + 1..=before + seqs.len() as u64).collect::<Vec<_>>());
}
