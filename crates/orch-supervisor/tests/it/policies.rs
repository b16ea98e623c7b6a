//! What policies are told, and that their answers are carried out.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use orch_core::journal::{Journal, MemoryJournal, RunFilter};
use orch_core::{
    BoxError, Cause, ComplexTask, EndStatus, Event, FailureContext, FailureDecision, FailureEvent,
    FailureHandler, Intervention, InterventionType, Memory, MemorySlice, MemorySnapshot,
    OrchestrationOutcome, OutcomeCounts, ProjectId, RouteError, Router, RoutingContext,
    RoutingDecision, RunId, Seq, Subtask, Worker, WorkerCapability, WorkerContext, WorkerError,
    WorkerName, WorkerResult,
};
use orch_supervisor::{Inline, SubmitOptions, worker_fn};
use serde_json::json;

use crate::support::{plan, run, task, virtual_time};

/// A failure handler made of a closure; it never aborts a run.
struct Handler<F>(F);

impl<F> FailureHandler for Handler<F>
where
    F: Fn(&FailureEvent, &FailureContext<'_>) -> FailureDecision + Send + Sync + 'static,
{
    fn handle_failure(
        &self,
        failure: &FailureEvent,
        _: &Subtask,
        context: &FailureContext<'_>,
    ) -> FailureDecision {
        (self.0)(failure, context)
    }

    fn should_abort(&self, _: &[FailureEvent], _: &ComplexTask) -> bool {
        false
    }
}

/// A worker that fails by `cause` in its first `failures` attempts at a subtask, and then returns what it was advised to do.
fn fails_first(name: &'static str, failures: u32, cause: Cause, proficiency: f64) -> impl Worker {
    let capability = WorkerCapability::new("work", ["work"]).with_proficiency(proficiency);
    worker_fn(name, [capability], move |ctx| async move {
        if ctx.attempt.number <= failures {
            return Err(WorkerError::new(cause, "not yet"));
        }
        Ok(json!({ "by": name, "guidance": ctx.attempt.guidance }))
    })
}

#[tokio::test(start_paused = true)]
async fn the_guidance_of_an_intervention_reaches_the_next_attempt() {
    let advice = "read the log first";
    let supervisor = virtual_time()
        .worker(fails_first("w", 1, Cause::Reported, 1.0))
        .failure_handler(Handler(move |_: &FailureEvent, _: &FailureContext<'_>| {
            let intervention = Intervention::new(InterventionType::BreakLoop, "stuck", advice);
            FailureDecision::retry(Duration::ZERO, "once more").with_intervention(intervention)
        }))
        .build();
    let result = run(&supervisor, plan("a")).await;
    assert_eq!(result.aggregated_output, json!([{ "by": "w", "guidance": advice }]));
}

#[tokio::test(start_paused = true)]
async fn after_five_failures_a_worker_that_is_not_there_is_left_alone_for_a_second() {
    let at_once = |_: &FailureEvent, _: &FailureContext<'_>| {
        FailureDecision::retry(Duration::ZERO, "at once")
    };
    for (failures, pause_ms) in [(4, 0), (5, 1_000)] {
        let supervisor = virtual_time()
            .worker(fails_first("w", failures, Cause::Unavailable, 1.0))
            .failure_handler(Handler(at_once))
            .build();
        let result = run(&supervisor, plan("a")).await;
        assert!(result.success, "{failures}: {:?}", result.errors);
        assert_eq!(result.total_duration_ms, pause_ms, "{failures} failures");
    }
}

/// Chooses the first worker, names two others as the next ones, and notes how much time was said to be left.
struct NotingRouter(Arc<Mutex<Vec<String>>>);

impl Router for NotingRouter {
    fn route(
        &self,
        subtask: &Subtask,
        context: &RoutingContext<'_>,
    ) -> Result<RoutingDecision, RouteError> {
        self.0.lock().unwrap().push(format!("router {:?}", context.time_budget_ms));
        let first = context.available_workers[0].name().clone();
        Ok(RoutingDecision::new(subtask.id.clone(), first, "it is the first")
            .with_fallback_workers(["second".into(), "third".into()]))
    }
}

#[tokio::test(start_paused = true)]
async fn router_and_failure_handler_are_told_how_much_time_is_left() {
    let noted = Arc::new(Mutex::new(Vec::new()));
    let notes = noted.clone();
    let worker = worker_fn(
        "w",
        [WorkerCapability::new("work", ["work"])],
        |ctx: WorkerContext| async move {
            tokio::time::sleep(Duration::from_secs(2)).await;
            if ctx.attempt.number == 1 {
                return Err(WorkerError::new(Cause::Reported, "not yet"));
            }
            Ok(json!(1))
        },
    );
    let supervisor = virtual_time()
        .worker(worker)
        .router(NotingRouter(noted.clone()))
        .failure_handler(Handler(move |_: &FailureEvent, context: &FailureContext<'_>| {
            let left = context.routing.time_budget_ms;
            notes.lock().unwrap().push(format!("handler {left:?}"));
            FailureDecision::retry(Duration::from_secs(1), "after a second")
        }))
        .build();
    let deadline: Timestamp = "2026-01-01T00:00:10Z".parse().unwrap();
    let task = task().with_deadline(deadline);
    let run = supervisor.submit_with(task, SubmitOptions::new().plan(plan("a"))).await.unwrap();
    assert!(supervisor.wait(run).await.unwrap().success);
    assert_eq!(
        *noted.lock().unwrap(),
        ["router Some(10000)", "handler Some(8000)", "router Some(7000)"]
    );
}

#[tokio::test(start_paused = true)]
async fn the_next_best_workers_of_a_route_are_in_the_journal() {
    let journal = MemoryJournal::new();
    let supervisor = virtual_time()
        .journal(Arc::new(journal.clone()))
        .worker(fails_first("first", 0, Cause::Reported, 1.0))
        .router(NotingRouter(Arc::default()))
        .build();
    run(&supervisor, plan("a")).await;
    let rows = journal.rows(&RunFilter::new()).await.unwrap();
    let events = journal.load(rows[0].head.run, Seq(0)).await.unwrap();
    let routes: Vec<_> = events
        .into_iter()
        .filter_map(|recorded| {
            let Event::AttemptStarted { route, .. } = recorded.event else { return None };
            route.map(|route| route.fallback)
        })
        .collect();
    assert_eq!(routes, [["second", "third"].map(WorkerName::new)]);
}

/// Remembers that `w` did nine attempts in vain.
struct Remembers;

#[async_trait]
impl Memory for Remembers {
    async fn snapshot(&self, _: &ProjectId, _: &ComplexTask) -> Result<MemorySnapshot, BoxError> {
        let mut snapshot = MemorySnapshot::default();
        Arc::make_mut(&mut snapshot.outcome_counts).add(&"w".into(), "work", 9.0, 0.0);
        Ok(snapshot)
    }

    async fn slice(
        &self,
        _: &ProjectId,
        _: &WorkerName,
        _: &Subtask,
        _: u32,
    ) -> Result<MemorySlice, BoxError> {
        Ok(MemorySlice::new())
    }

    async fn record_outcome(&self, _: &OrchestrationOutcome) -> Result<(), BoxError> {
        Ok(())
    }

    async fn feedback(&self, _: RunId, _: f64, _: &str) -> Result<(), BoxError> {
        Ok(())
    }
}

#[tokio::test]
async fn the_failure_handler_sees_what_memory_knows_of_workers() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let seen_by_handler = seen.clone();
    let supervisor = orch_supervisor::Supervisor::builder()
        .worker(fails_first("w", 1, Cause::Reported, 1.0))
        .memory(Arc::new(Remembers))
        .failure_handler(Handler(move |failure: &FailureEvent, context: &FailureContext<'_>| {
            let rate = |history: &OutcomeCounts| history.success_rate(&failure.worker, "work");
            seen_by_handler.lock().unwrap().push(context.routing.history.map(rate));
            FailureDecision::retry(Duration::ZERO, "once more")
        }))
        .build();
    assert!(run(&supervisor, plan("a")).await.success);
    assert_eq!(*seen.lock().unwrap(), [Some(0.1)], "(0 + 1) / (9 + 1)");
}

#[tokio::test(start_paused = true)]
async fn a_retry_goes_to_the_worker_that_the_handler_names() {
    // Without the handler's word the first worker, even after a failure, is better than the second.
    for (named, expected) in [(Some("second"), "second"), (None, "first")] {
        let supervisor = virtual_time()
            .worker(fails_first("first", 1, Cause::Reported, 1.0))
            .worker(fails_first("second", 0, Cause::Reported, 0.1))
            .failure_handler(Handler(move |_: &FailureEvent, _: &FailureContext<'_>| match named {
                Some(name) => FailureDecision::retry_on(name.into(), Duration::ZERO, "the other"),
                None => FailureDecision::retry(Duration::ZERO, "any"),
            }))
            .build();
        let result = run(&supervisor, plan("a")).await;
        assert_eq!(result.aggregated_output[0]["by"], expected, "{named:?}");
    }
}

/// Notes which failures it is asked about when it says whether a run should end.
struct NotingAbort(Arc<Mutex<Vec<Vec<String>>>>);

impl FailureHandler for NotingAbort {
    fn handle_failure(
        &self,
        _: &FailureEvent,
        _: &Subtask,
        _: &FailureContext<'_>,
    ) -> FailureDecision {
        FailureDecision::give_up("once is enough")
    }

    fn should_abort(&self, failures: &[FailureEvent], _: &ComplexTask) -> bool {
        let about = |f: &FailureEvent| format!("{} by {}: {}", f.subtask_id, f.worker, f.cause);
        self.0.lock().unwrap().push(failures.iter().map(about).collect());
        false
    }
}

#[tokio::test(start_paused = true)]
async fn the_abort_rule_is_told_which_worker_failed_at_what() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let worker = worker_fn(
        "w",
        [WorkerCapability::new("work", ["work"])],
        |ctx: WorkerContext| async move {
            let seconds = if ctx.subtask.id.as_str() == "a" { 1 } else { 2 };
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Err(WorkerError::new(Cause::Auth, "no key"))
        },
    )
    .with_max_concurrency(NonZeroU32::new(2).unwrap());
    let supervisor =
        virtual_time().worker(worker).failure_handler(Inline(NotingAbort(asked.clone()))).build();
    assert_eq!(run(&supervisor, plan("a; b")).await.status, EndStatus::Failed);
    assert_eq!(
        *asked.lock().unwrap(),
        [vec!["a by w: auth"], vec!["a by w: auth", "b by w: auth"]]
    );
}

/// Works until it is told to stop, and says how long its attempts may take.
struct Slow(WorkerName, Vec<WorkerCapability>);

#[async_trait]
impl Worker for Slow {
    fn name(&self) -> &WorkerName {
        &self.0
    }

    fn capabilities(&self) -> &[WorkerCapability] {
        &self.1
    }

    fn timeout(&self) -> Option<Duration> {
        Some(Duration::from_secs(3))
    }

    async fn execute(&self, context: WorkerContext) -> Result<WorkerResult, WorkerError> {
        context.stop.stopped().await;
        Err(WorkerError::new(Cause::Reported, "told to stop"))
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_may_take_as_long_as_its_worker_says_unless_the_subtask_says_more() {
    for (of_subtask, expected_ms) in [(None, 3_000), (Some(5_000), 5_000)] {
        let slow = Slow("slow".into(), vec![WorkerCapability::new("work", ["work"])]);
        let supervisor = virtual_time()
            .worker(slow)
            .failure_handler(Handler(|_: &FailureEvent, _: &FailureContext<'_>| {
                FailureDecision::give_up("too slow")
            }))
            .build();
        let mut plan = plan("a");
        Arc::make_mut(&mut plan.subtasks[0]).timeout_ms = of_subtask;
        let result = run(&supervisor, plan).await;
        assert!(result.errors[0].contains("took too long"), "{:?}", result.errors);
        assert_eq!(result.total_duration_ms, expected_ms, "{of_subtask:?}");
    }
}
