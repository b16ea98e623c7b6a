//! What memory is asked and told.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use orch_core::learned::{Day, Learned, Moments, Reward, routing_id};
use orch_core::{
    AggregationSettings, AggregationStrategy, BoxError, ComplexTask, Constraints,
    ExecutionStrategy, Memory, MemorySlice, MemorySnapshot, OrchestrationOutcome, ProjectId,
    RouteError, Router, RoutingContext, RoutingDecision, RoutingHeuristic, RunId, RunSettings,
    Subtask, WorkerCapability, WorkerName,
};
use orch_supervisor::{SubmitOptions, Supervisor, SupervisorError, worker_fn};
use serde_json::json;

use crate::support::{plan, submit, task};

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Notebook {
    fails: bool,
    learned: Learned,
    asked: Mutex<Vec<String>>,
    told: Mutex<Vec<OrchestrationOutcome>>,
    feedback: Mutex<Vec<(RunId, f64, String)>>,
}

#[async_trait]
impl Memory for Notebook {
    async fn snapshot(
        &self,
        _: &ProjectId,
        task: &ComplexTask,
    ) -> Result<MemorySnapshot, BoxError> {
        self.asked.lock().unwrap().push(task.description.clone());
        if self.fails {
            return Err("no memory of that".into());
        }
        let mut snapshot = MemorySnapshot::from(self.learned.clone());
        let outcome_counts = Arc::make_mut(&mut snapshot.outcome_counts);
        outcome_counts.add(&"first".into(), "work", 9.0, 0.0);
        Ok(snapshot)
    }

    async fn slice(
        &self,
        _: &ProjectId,
        worker: &WorkerName,
        subtask: &Subtask,
        max_tokens: u32,
    ) -> Result<MemorySlice, BoxError> {
        assert_eq!(max_tokens, 500, "who does not ask is not told");
        if self.fails {
            return Err("nothing".into());
        }
        Ok(MemorySlice::new().with_heuristics(vec![format!("{worker} remembers {}", subtask.id)]))
    }

    async fn record_outcome(&self, outcome: &OrchestrationOutcome) -> Result<(), BoxError> {
        self.told.lock().unwrap().push(outcome.clone());
        if self.fails { Err("full".into()) } else { Ok(()) }
    }

    async fn feedback(&self, run: RunId, score: f64, note: &str) -> Result<(), BoxError> {
        self.feedback.lock().unwrap().push((run, score, note.to_owned()));
        Ok(())
    }
}

fn recalling(name: &'static str) -> impl orch_core::Worker {
    worker_fn(name, [WorkerCapability::new("work", ["work"])], |ctx| async move {
        Ok(json!(ctx.memory_slice.map(|slice| slice.heuristics)))
    })
    .with_memory_tokens(500)
}

#[tokio::test]
async fn memory_informs_routing_and_attempts_and_learns_the_outcome() {
    let memory = Arc::new(Notebook::default());
    let supervisor = Supervisor::builder()
        .name("boss")
        .worker(recalling("first"))
        .worker(recalling("second"))
        .memory(memory.clone())
        .build();
    let run = submit(&supervisor, plan("a")).await;
    let result = supervisor.wait(run).await.unwrap();
    assert_eq!(
        result.aggregated_output,
        json!([["second remembers a"]]),
        "the first failed nine times before"
    );
    assert_eq!(*memory.asked.lock().unwrap(), [""], "a given plan needs no example");
    // Nobody waits for what memory learns, but a shutdown.
    supervisor.shutdown(PATIENCE).await;
    let told = memory.told.lock().unwrap().clone();
    assert_eq!(
        (told[0].supervisor.as_str(), told[0].overall_success, told[0].subtask_count),
        ("boss", true, 1)
    );
    assert_eq!(told[0].routing_decisions[0].worker, "second");
    supervisor.feedback(run, 0.25, "too short").await.unwrap();
    assert_eq!(memory.feedback.lock().unwrap()[0], (run, 0.25, "too short".to_owned()));
}

#[tokio::test]
async fn a_worker_that_does_not_ask_is_told_nothing() {
    let quiet = worker_fn("quiet", [WorkerCapability::new("work", ["work"])], |ctx| async move {
        Ok(json!(ctx.memory_slice.is_none()))
    });
    let memory = Arc::new(Notebook::default());
    let supervisor = Supervisor::builder().worker(quiet).memory(memory).build();
    let result = supervisor.execute(ComplexTask::new("t", "x", "work"), None).await.unwrap();
    assert_eq!(result.aggregated_output, json!([true]));
}

#[tokio::test]
async fn a_run_begins_with_the_concurrency_limit_and_the_aggregation_that_did_best() {
    let mut learned = Learned::new();
    (0..3).for_each(|_| learned.tasks.concurrency_limit.record(3));
    let liked = learned.tasks.aggregation.entry(AggregationStrategy::Concatenate).or_default();
    (0..3).for_each(|_| liked.record(Day(0), Moments::one(true, Reward::FULL)));
    // Each waits for the other two: with a concurrency limit of 1 none would end.
    let together = Arc::new(tokio::sync::Barrier::new(3));
    let waiting = worker_fn("only", [WorkerCapability::new("work", ["work"])], move |_| {
        let together = together.clone();
        async move {
            together.wait().await;
            Ok(json!({ "x": 1 }))
        }
    });
    let settings = RunSettings::default()
        .with_strategy(ExecutionStrategy::Adaptive)
        .with_aggregation(AggregationSettings::default().with_strategy(AggregationStrategy::Auto));
    let memory = Arc::new(Notebook { learned, ..Notebook::default() });
    let supervisor = Supervisor::builder().worker(waiting).memory(memory.clone()).build();
    let options = SubmitOptions::new().settings(settings).plan(plan("a; b; c"));
    let run = supervisor.submit_with(task(), options).await.unwrap();
    let output = supervisor.wait(run).await.unwrap().aggregated_output;
    assert_eq!(output.as_array().map(Vec::len), Some(3), "a list, not a merged object: {output}");
    supervisor.shutdown(PATIENCE).await;
    let told = memory.told.lock().unwrap()[0].aggregation_strategy;
    assert_eq!(told, AggregationStrategy::Concatenate, "opinions are about what was done");
}

/// Gives everything to who is preferred most.
struct Obliging;

impl Router for Obliging {
    fn route(
        &self,
        subtask: &Subtask,
        context: &RoutingContext<'_>,
    ) -> Result<RoutingDecision, RouteError> {
        let most = context.constraints.unwrap().prefer[0].clone();
        Ok(RoutingDecision::new(subtask.id.clone(), most, "preferred"))
    }
}

#[tokio::test]
async fn a_pinned_rule_is_a_preference_that_a_task_may_overrule() {
    let rule =
        RoutingHeuristic::new(routing_id(&"p".into(), "work"), "", "", Timestamp::UNIX_EPOCH);
    let mut learned = Learned::new();
    learned.project = "p".into();
    learned.routing = vec![rule.with_worker_preference(vec!["third".into()]).with_confidence(1.0)];
    let memory = Arc::new(Notebook { learned, ..Notebook::default() });
    let supervisor = ["first", "second", "third"]
        .into_iter()
        .fold(Supervisor::builder(), |builder, name| builder.worker(recalling(name)))
        .router(Obliging)
        .memory(memory)
        .build();
    for (prefer, expected) in [(None, "third"), (Some("second"), "second")] {
        let constraints =
            prefer.map(|name: &str| Constraints::new().with_prefer(vec![name.into()]));
        let task = task().with_constraints(constraints);
        let options = SubmitOptions::new().plan(plan("a"));
        let run = supervisor.submit_with(task, options).await.unwrap();
        let result = supervisor.wait(run).await.unwrap();
        assert_eq!(result.subtask_results[0].worker_name, expected);
    }
}

#[tokio::test]
async fn a_failing_memory_fails_no_run() {
    let memory = Arc::new(Notebook { fails: true, ..Notebook::default() });
    let supervisor =
        Supervisor::builder().worker(recalling("first")).memory(memory.clone()).build();
    let result = supervisor.execute(ComplexTask::new("t", "x", "work"), None).await.unwrap();
    assert_eq!(result.aggregated_output, json!([null]));
    assert_eq!(*memory.asked.lock().unwrap(), ["x"]);
}

#[tokio::test]
async fn feedback_without_a_memory_says_so() {
    let supervisor = Supervisor::builder().worker(recalling("first")).build();
    let run = supervisor.submit(task()).await.unwrap();
    assert!(matches!(supervisor.feedback(run, 1.0, "").await, Err(SupervisorError::Memory(_))));
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Asked {
    Snapshot,
    Slice,
    Outcome,
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    Panics,
    Hangs,
    Blocks,
    Fails,
}

/// A memory in which one thing goes wrong, in one way.
struct Faulty {
    asked: Asked,
    fault: Fault,
    /// Whether it may go on when it blocks its thread.
    released: (Mutex<bool>, Condvar),
    /// Whether the fault has happened.
    met: tokio::sync::watch::Sender<bool>,
}

impl Faulty {
    async fn answer<T: Default>(&self, asked: Asked) -> Result<T, BoxError> {
        if asked != self.asked {
            return Ok(T::default());
        }
        self.met.send_replace(true);
        match self.fault {
            Fault::Panics => panic!("memory is broken"),
            Fault::Hangs => std::future::pending().await,
            Fault::Blocks => {
                let (released, changed) = &self.released;
                let released = released.lock().unwrap();
                drop(changed.wait_while(released, |released| !*released).unwrap());
            }
            Fault::Fails => return Err("no memory of that".into()),
        }
        Ok(T::default())
    }

    fn release(&self) {
        *self.released.0.lock().unwrap() = true;
        self.released.1.notify_all();
    }
}

#[async_trait]
impl Memory for Faulty {
    async fn snapshot(&self, _: &ProjectId, _: &ComplexTask) -> Result<MemorySnapshot, BoxError> {
        self.answer(Asked::Snapshot).await
    }

    async fn slice(
        &self,
        _: &ProjectId,
        _: &WorkerName,
        _: &Subtask,
        _: u32,
    ) -> Result<MemorySlice, BoxError> {
        self.answer(Asked::Slice).await
    }

    async fn record_outcome(&self, _: &OrchestrationOutcome) -> Result<(), BoxError> {
        self.answer(Asked::Outcome).await
    }

    async fn feedback(&self, _: RunId, _: f64, _: &str) -> Result<(), BoxError> {
        Ok(())
    }
}

/// One run ends while another is in flight; memory is at fault before, in and after both.
async fn nobody_suffers_from(asked: Asked, fault: Fault) {
    let case = format!("{asked:?} {fault:?}");
    let met = tokio::sync::watch::Sender::new(false);
    let released = (Mutex::new(false), Condvar::new());
    let memory = Arc::new(Faulty { asked, fault, released, met });
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let tries = Arc::new(AtomicU32::new(0));
    let (waits, tried) = (gate.clone(), tries.clone());
    let worker = worker_fn("only", [WorkerCapability::new("work", ["work"])], move |ctx| {
        let gate = waits.clone();
        tried.fetch_add(1, Ordering::SeqCst);
        async move {
            if ctx.subtask.id == "long" {
                gate.acquire().await.unwrap().forget();
            }
            Ok(json!(ctx.memory_slice.is_some()))
        }
    });
    let settings = RunSettings::default().with_attempt_timeout_ms(4_000u64);
    let supervisor = Supervisor::builder()
        .worker(worker.with_memory_tokens(500))
        .memory(memory.clone())
        .settings(settings)
        .build();
    let long = submit(&supervisor, plan("long")).await;
    let short = submit(&supervisor, plan("short")).await;
    for run in [short, long] {
        let result = tokio::time::timeout(PATIENCE, supervisor.wait(run)).await;
        let result = result.unwrap_or_else(|_| panic!("{case}: it did not end")).unwrap();
        // The worker is blamed for nothing: its one attempt is done, with memory where there was one.
        let output = json!([asked != Asked::Slice]);
        assert_eq!((result.success, result.aggregated_output), (true, output), "{case}");
        assert_eq!(result.errors, Vec::<String>::new(), "{case}");
        if asked == Asked::Slice && run == short {
            assert!(
                result.total_duration_ms < 3_000,
                "{case}: memory takes no time of the attempt"
            );
        }
        gate.add_permits(1);
    }
    assert_eq!(tries.load(Ordering::SeqCst), 2, "{case}: nothing is tried again");
    memory.met.subscribe().wait_for(|met| *met).await.unwrap();
    let after = supervisor.submit(task()).await;
    assert!(after.is_ok(), "{case}: the engine goes on: {after:?}");
    let stopped = tokio::time::timeout(PATIENCE, supervisor.shutdown(Duration::ZERO)).await;
    assert!(stopped.is_ok(), "{case}: a shutdown has its limit");
    memory.release();
}

#[tokio::test]
async fn a_memory_that_fails_in_any_way_ends_nothing_and_is_blamed_on_nobody() {
    let mut cases = Vec::new();
    for asked in [Asked::Snapshot, Asked::Slice, Asked::Outcome] {
        for fault in [Fault::Panics, Fault::Hangs, Fault::Blocks, Fault::Fails] {
            cases.push(nobody_suffers_from(asked, fault));
        }
    }
    futures_util::future::join_all(cases).await;
}
