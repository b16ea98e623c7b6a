//! What memory is asked and told.

use std::sync::{Arc, Mutex};

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
        let tallies = Arc::make_mut(&mut snapshot.tallies);
        tallies.add(&"first".into(), "work", 9.0, 0.0);
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
    // The outcome is told after the result: the next call is answered after both.
    supervisor.status(run).await.unwrap();
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
async fn a_run_begins_with_the_width_and_the_aggregation_that_did_best() {
    let mut learned = Learned::new();
    (0..3).for_each(|_| learned.tasks.width.record(3));
    let liked = learned.tasks.aggregation.entry(AggregationStrategy::Concatenate).or_default();
    (0..3).for_each(|_| liked.record(Day(0), Moments::one(true, Reward::FULL)));
    // Each waits for the other two: with a width of 1 none would end.
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
    supervisor.status(run).await.unwrap();
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
