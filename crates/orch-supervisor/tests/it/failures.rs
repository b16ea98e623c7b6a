//! Workers that fail, panic or lie, and policies that do.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use orch_core::journal::{Journal, MemoryJournal, RunFilter};
use orch_core::{
    Cause, ComplexTask, DecompositionPlan, EndStatus, Event, FailureContext, FailureDecision,
    FailureEvent, FailureHandler, Gate, JsonMap, RouteError, Router, RoutingContext,
    RoutingDecision, Seq, Subtask, Worker, WorkerCapability, WorkerContext, WorkerError,
    WorkerName, WorkerResult,
};

use orch_supervisor::{Inline, Refusal, SubmitOptions, Supervisor, SupervisorError, worker_fn};
use serde_json::{Value, json};

use crate::support::{plan, run, task, virtual_time};

struct Retries(u32);

impl FailureHandler for Retries {
    fn handle_failure(
        &self,
        _: &FailureEvent,
        _: &Subtask,
        context: &FailureContext<'_>,
    ) -> FailureDecision {
        if context.failures > self.0 {
            return FailureDecision::give_up("tried often enough");
        }
        FailureDecision::retry(Duration::from_secs(1), "once more")
    }

    fn should_abort(&self, failures: &[FailureEvent], _: &ComplexTask) -> bool {
        failures.len() >= 3
    }
}

/// Fails until its nth attempt.
fn flaky(succeeds_at: u32) -> impl Worker {
    let calls = AtomicU32::new(0);
    worker_fn("flaky", [WorkerCapability::new("work", ["work"])], move |ctx| {
        let call = calls.fetch_add(1, Ordering::SeqCst) + 1;
        async move {
            if call < succeeds_at {
                return Err(WorkerError::new(Cause::Reported, format!("not at attempt {call}")));
            }
            Ok(
                json!({ "attempt": ctx.attempt.number, "last": ctx.attempt.last_failure.map(|f| f.message) }),
            )
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_failed_subtask_is_tried_again_after_a_pause() {
    let supervisor = virtual_time().worker(flaky(3)).failure_handler(Retries(2)).build();
    let result = run(&supervisor, plan("a")).await;
    assert_eq!(result.aggregated_output, json!([{ "attempt": 3, "last": "not at attempt 2" }]));
    assert_eq!(result.total_duration_ms, 2_000, "two pauses of a second");
}

#[tokio::test(start_paused = true)]
async fn without_success_it_fails_and_what_needs_it_is_skipped() {
    let supervisor = virtual_time().worker(flaky(100)).failure_handler(Retries(1)).build();
    let result = run(&supervisor, plan("a -> b -> c")).await;
    assert_eq!(result.status, EndStatus::Failed);
    assert_eq!(result.errors.len(), 3, "{:?}", result.errors);
    assert!(
        result.errors[0].contains("not at attempt 2")
            && result.errors[0].contains("tried often enough")
    );
    assert!(result.errors[2].contains("`c`: `a` failed"), "the root is named: {:?}", result.errors);
}

#[tokio::test]
async fn a_tolerated_failure_arrives_as_an_absence() {
    let supervisor = Supervisor::builder()
        .worker(worker_fn("w", [WorkerCapability::new("work", ["work"])], |ctx| async move {
            match ctx.subtask.id.as_str() {
                "bad" => Err(WorkerError::new(Cause::Auth, "no key")),
                "join" => Ok(json!({
                    "inputs": ctx.sibling_results.iter().map(|r| r.subtask_id.to_string()).collect::<Vec<_>>(),
                    "absent": ctx.absent.iter().map(|a| format!("{} {}", a.subtask_id, a.status)).collect::<Vec<_>>(),
                })),
                _ => Ok(json!("fine")),
            }
        }))
        .build();
    let mut plan = plan("good -> join; bad -> join");
    let join = Arc::make_mut(&mut plan.subtasks[1]);
    assert_eq!(join.id, "join");
    join.tolerates = vec!["bad".into()];
    let result = run(&supervisor, plan).await;
    let join = result.subtask_results.iter().find(|r| r.subtask_id == "join").unwrap();
    assert_eq!(join.output, json!({ "inputs": ["good"], "absent": ["bad failed"] }));
    assert_eq!(result.status, EndStatus::Failed, "2 of 3 done is below the ratio of 0.8");
}

#[tokio::test]
async fn a_panicking_worker_fails_its_attempt_only() {
    let supervisor = Supervisor::builder()
        .worker(worker_fn("w", [WorkerCapability::new("work", ["work"])], |ctx| async move {
            assert!(ctx.subtask.id != "bad", "cannot do this");
            Ok(1.into())
        }))
        .build();
    let result = run(&supervisor, plan("good; bad; fine; also; more; rest")).await;
    assert_eq!(result.status, EndStatus::Partial);
    assert_eq!(result.aggregated_output, json!([1, 1, 1, 1, 1]));
    assert!(result.errors[0].contains("panicked: cannot do this"), "{:?}", result.errors);
}

/// The events of the journal's only run that have this name.
async fn events_named(journal: &MemoryJournal, name: &str) -> Vec<Event> {
    let rows = journal.rows(&RunFilter::new()).await.unwrap();
    let events = journal.load(rows[0].head.run, Seq(0)).await.unwrap();
    events.into_iter().map(|recorded| recorded.event).filter(|event| event.name() == name).collect()
}

#[tokio::test]
async fn success_false_is_a_failure() {
    struct Admits(WorkerName, Vec<WorkerCapability>);
    #[async_trait]
    impl Worker for Admits {
        fn name(&self) -> &WorkerName {
            &self.0
        }
        fn capabilities(&self) -> &[WorkerCapability] {
            &self.1
        }
        async fn execute(&self, _: WorkerContext) -> Result<WorkerResult, WorkerError> {
            Ok(WorkerResult::failure("", "", "I could not").with_output(json!("half of it")))
        }
    }
    let worker = Admits("honest".into(), vec![WorkerCapability::new("work", ["work"])]);
    let journal = MemoryJournal::new();
    let supervisor =
        Supervisor::builder().journal(Arc::new(journal.clone())).worker(worker).build();
    let result = run(&supervisor, plan("a")).await;
    let failed = events_named(&journal, "attempt_failed").await;
    let Event::AttemptFailed { failure, .. } = &failed[0] else { panic!("{failed:?}") };
    assert_eq!(
        failure.evidence["output"],
        json!("half of it"),
        "what it made is kept to be looked at"
    );
    assert!(!result.success);
    assert!(result.errors[0].contains("I could not"), "{:?}", result.errors);
}

#[tokio::test]
async fn a_result_that_passes_no_gate_is_not_accepted() {
    let answers = Arc::new(Mutex::new(vec!["long enough", ""]));
    let supervisor = Supervisor::builder()
        .failure_handler(Retries(1))
        .worker(worker_fn("w", [WorkerCapability::new("work", ["work"])], move |_| {
            let answer = answers.lock().unwrap().pop().unwrap();
            async move { Ok(answer.into()) }
        }))
        .build();
    let subtask = Subtask::new("a", "a", "work").with_gates(vec![Gate::NonEmpty]);
    let result = run(&supervisor, DecompositionPlan::new([subtask])).await;
    assert_eq!(
        result.aggregated_output,
        json!(["long enough"]),
        "the empty one was rejected, then tried again"
    );
}

#[tokio::test(start_paused = true)]
async fn too_many_failures_abort_the_run() {
    let supervisor = virtual_time().worker(flaky(100)).failure_handler(Inline(Retries(0))).build();
    let result = run(&supervisor, plan("a; b; c; d 1s -> e")).await;
    assert_eq!(result.status, EndStatus::Failed);
    assert!(result.errors.contains(&"too much has failed".to_owned()), "{:?}", result.errors);
}

#[tokio::test]
async fn a_router_that_panics_or_errs_fails_the_question_only() {
    struct Bad(&'static str);
    impl Router for Bad {
        fn route(
            &self,
            subtask: &Subtask,
            _: &RoutingContext<'_>,
        ) -> Result<RoutingDecision, RouteError> {
            assert!(self.0 != "panic", "the router is broken");
            Ok(RoutingDecision::new(subtask.id.clone(), "nobody", "why not"))
        }
    }
    for (how, message) in
        [("panic", "the router panicked: the router is broken"), ("nonsense", "chose `nobody`")]
    {
        let worker =
            worker_fn("w", [WorkerCapability::new("work", ["work"])], |_| async { Ok(1.into()) });
        let supervisor = Supervisor::builder().worker(worker).router(Bad(how)).build();
        let result = run(&supervisor, plan("a")).await;
        assert!(result.errors[0].contains(message), "{:?}", result.errors);
    }
}

#[tokio::test]
async fn prepare_fails_the_attempt_and_cleanup_always_runs() {
    struct Careful(WorkerName, Vec<WorkerCapability>, Arc<Mutex<Vec<String>>>);
    #[async_trait]
    impl Worker for Careful {
        fn name(&self) -> &WorkerName {
            &self.0
        }
        fn capabilities(&self) -> &[WorkerCapability] {
            &self.1
        }
        async fn prepare(&self, context: &WorkerContext) -> Result<(), WorkerError> {
            if context.subtask.id == "bad" {
                Err(WorkerError::new(Cause::Auth, "no way in"))
            } else {
                Ok(())
            }
        }
        async fn execute(&self, context: WorkerContext) -> Result<WorkerResult, WorkerError> {
            Ok(WorkerResult::success(context.subtask.id.clone(), "other", json!(1)))
        }
        async fn cleanup(&self, result: &WorkerResult) {
            self.2.lock().unwrap().push(format!("{} {}", result.subtask_id, result.success));
            panic!("and cannot change anything");
        }
    }
    let cleaned = Arc::new(Mutex::new(Vec::new()));
    let worker =
        Careful("careful".into(), vec![WorkerCapability::new("work", ["work"])], cleaned.clone());
    let supervisor = Supervisor::builder().worker(worker).build();
    let result = run(&supervisor, plan("good; bad")).await;
    let mut cleaned = cleaned.lock().unwrap().clone();
    cleaned.sort();
    assert_eq!(cleaned, ["bad false", "good true"]);
    assert_eq!(
        result.subtask_results[0].worker_name, "careful",
        "the engine knows the worker's name better"
    );
    assert!(result.errors[0].contains("no way in"));
}

#[tokio::test]
async fn a_cost_budget_ends_the_run_before_it_is_overdrawn() {
    use orch_core::{Budget, RunSettings};
    let spends = Spends("spends".into(), vec![WorkerCapability::new("work", ["work"])]);
    let budget = Budget::default().with_max_cost_micro_usd(2_500_000_u64);
    let settings = RunSettings::default().with_budget(budget);
    let supervisor = Supervisor::builder().settings(settings).worker(spends).build();
    let result = run(&supervisor, plan("a; b; c; d")).await;
    let done = result.subtask_results.iter().filter(|r| r.success).count();
    assert_eq!(done, 2, "a third would cost a dollar more than is left");
    assert!(result.errors.iter().any(|e| e.contains("budget")), "{:?}", result.errors);
}

/// Every attempt costs a dollar.
struct Spends(WorkerName, Vec<WorkerCapability>);

#[async_trait]
impl Worker for Spends {
    fn name(&self) -> &WorkerName {
        &self.0
    }
    fn capabilities(&self) -> &[WorkerCapability] {
        &self.1
    }
    async fn execute(&self, context: WorkerContext) -> Result<WorkerResult, WorkerError> {
        let metadata = [("usage".to_owned(), json!({ "cost_usd": 1.0 }))]
            .into_iter()
            .collect::<orch_core::JsonMap>();
        Ok(WorkerResult::success(context.subtask.id.clone(), self.0.clone(), json!(1))
            .with_metadata(metadata))
    }
}

#[tokio::test]
async fn what_is_nested_too_deep_to_be_read_again_is_refused() {
    fn nested(levels: usize) -> Value {
        (0..levels).fold(json!(1), |inner, _| json!([inner]))
    }
    let worker = worker_fn("deep", [WorkerCapability::new("work", ["work"])], |ctx| async move {
        Ok(nested(ctx.subtask.context["levels"].as_u64().unwrap() as usize))
    });
    let supervisor = Supervisor::builder().worker(worker).build();
    let of = |key: &str, value: Value| JsonMap::from_iter([(key.to_owned(), value)]);
    for (levels, expected) in [(64, true), (65, false), (300, false)] {
        let subtask = Subtask::new("a", "a", "work").with_context(of("levels", json!(levels)));
        let result = run(&supervisor, DecompositionPlan::new([subtask])).await;
        assert_eq!(result.success, expected, "{levels}: {:?}", result.errors);
        let deep = of("deep", nested(levels));
        let plan =
            DecompositionPlan::new([Subtask::new("b", "b", "work").with_context(deep.clone())]);
        let of_task = supervisor.submit(task().with_context(deep)).await;
        let of_plan = supervisor.submit_with(task(), SubmitOptions::new().plan(plan)).await;
        for submitted in [of_task, of_plan] {
            let is_refused =
                matches!(submitted, Err(SupervisorError::Refused(Refusal::TooDeep { .. })));
            assert_eq!(!is_refused, expected, "{levels}: {submitted:?}");
        }
    }
}
