//! How workers are asked, chosen and counted; what their errors become.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use orch_core::journal::{AttemptProcess, ProcessId};
use orch_core::{AttemptInfo, BoxError, Fence, Reaper, RunId, Token, Worker};
use orch_core::{
    Cause, Constraints, FailureType, Fit, OutcomeCounts, RouteError, Router, RoutingContext,
    RoutingDecision, Standing, Subtask, WorkerCapability, WorkerContext, WorkerError, WorkerKind,
    WorkerName, WorkerResult, fit,
};
use serde_json::json;

use crate::support::{Actor, Sayer, team};

fn subtask(task_type: &str) -> Subtask {
    Subtask::new("a", "Do a", task_type)
}

#[test]
fn can_handle_is_type_times_proficiency_times_history_times_free_capacity() {
    let worker = Actor::with(
        "w",
        vec![
            WorkerCapability::new("poor", ["testing"]).with_proficiency(0.25),
            WorkerCapability::new("good", ["testing", "api"]).with_proficiency(0.5),
            WorkerCapability::new("other", ["cooking"]),
        ],
    );
    for (task_type, success, load, expected) in [
        ("testing", 1.0, 0.0, 0.5),
        ("api", 1.0, 0.0, 0.5),
        ("cooking", 1.0, 0.0, 1.0),
        ("testing", 0.5, 0.5, 0.125),
        ("testing", 1.0, 1.0, 0.0),
        // More attempts than slots: no free capacity, but nothing that the worker did wrong.
        ("testing", 1.0, 1.5, 0.0),
        ("testing", 0.0, 0.0, 0.0),
        ("unknown", 1.0, 0.0, 0.0),
        ("", 1.0, 0.0, 0.0),
    ] {
        let fit = fit(&worker, &subtask(task_type), &Standing::new(success, load));
        assert_eq!(fit, Fit::new(expected), "{task_type} {success} {load}");
        assert_eq!(fit.invalid, None);
    }
}

#[test]
fn any_type_is_a_star() {
    let worker = Actor::new("w", &["*"]);
    assert_eq!(fit(&worker, &subtask("whatever"), &Standing::IDLE).score, 1.0);
    assert_eq!(fit(&worker, &subtask(""), &Standing::IDLE).score, 1.0);
    let named = WorkerCapability::new("c", ["test*"]);
    assert!(!named.covers("testing"), "a star inside a word is no pattern");
}

#[test]
fn scores_that_are_none_count_as_0_and_are_reported() {
    for score in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.1, 1.5] {
        let fit = fit(&Sayer::new(score), &subtask(""), &Standing::IDLE);
        assert_eq!(fit.score, 0.0, "{score}");
        assert_eq!(fit.invalid.map(f64::to_bits), Some(score.to_bits()));
    }
    for score in [0.0, 0.3, 1.0] {
        assert_eq!(fit(&Sayer::new(score), &subtask(""), &Standing::IDLE), Fit::new(score));
    }
    // A proficiency without sense is reported as well, not silently passed over.
    for proficiency in [f64::NAN, 1.5, -0.5] {
        let capability = WorkerCapability::new("c", ["t"]).with_proficiency(proficiency);
        let worker = Actor::with("w", vec![capability]);
        assert!(fit(&worker, &subtask("t"), &Standing::IDLE).invalid.is_some(), "{proficiency}");
    }
}

#[tokio::test]
async fn a_worker_has_sensible_defaults() {
    let worker = Actor::new("w", &["t"]);
    assert_eq!(worker.capability_names(), ["w-skill"]);
    assert_eq!(worker.kind(), WorkerKind::Managed);
    assert_eq!(worker.max_concurrency(), NonZeroU32::new(8).unwrap());
    assert!(worker.scope().is_none() && worker.timeout().is_none());
    let run = RunId::new(jiff::Timestamp::UNIX_EPOCH, 1 << 100);
    let attempt = AttemptInfo::new(run, Fence(1), Token(1), &"a".into(), 1_000);
    let context = WorkerContext::new(subtask("t"), attempt);
    worker.prepare(&context).await.unwrap();
    let result = worker.execute(context).await.unwrap();
    worker.cleanup(&result).await;
    assert_eq!(result, WorkerResult::success("a", "w", "done".into()));
}

#[test]
fn constraints_admit() {
    let worker = Actor::with(
        "w",
        vec![WorkerCapability::new("x", ["t"]), WorkerCapability::new("y", ["t"])],
    );
    let tags = |tags: &[&str]| {
        Constraints::new().with_tags(tags.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>())
    };
    let loads = BTreeMap::new();
    let outcome_counts = OutcomeCounts::default();
    for (constraints, admits) in [
        (Constraints::new(), true),
        (Constraints::new().with_require_worker(WorkerName::new("w")), true),
        (Constraints::new().with_require_worker(WorkerName::new("v")), false),
        (Constraints::new().with_kind(WorkerKind::Managed), true),
        (Constraints::new().with_kind(WorkerKind::Pull), false),
        (Constraints::new().with_exclude_workers(vec!["v".into()]), true),
        (Constraints::new().with_exclude_workers(vec!["v".into(), "w".into()]), false),
        (Constraints::new().with_prefer(vec!["v".into()]), true),
        (tags(&["x"]), true),
        (tags(&["y", "x"]), true),
        (tags(&["x", "z"]), false),
        (tags(&["t"]), false),
        (tags(&["x"]).with_exclude_workers(vec!["w".into()]), false),
        (Constraints::new().with_max_cost_usd(0.0), true),
    ] {
        assert_eq!(constraints.admits(&worker), admits, "{constraints:?}");
        let context =
            RoutingContext::new(&[], &loads, &outcome_counts).with_constraints(Some(&constraints));
        assert_eq!(context.admits(&worker), admits, "{constraints:?}");
    }
    assert!(RoutingContext::new(&[], &loads, &outcome_counts).admits(&worker));
}

#[test]
fn inner_and_outer_constraints_both_hold() {
    let inner = Constraints::new()
        .with_require_worker(WorkerName::new("a"))
        .with_kind(WorkerKind::Pull)
        .with_exclude_workers(vec!["b".into()])
        .with_prefer(vec!["c".into()])
        .with_tags(vec!["t".to_owned()])
        .with_max_cost_usd(2.0);
    let outer = Constraints::new()
        .with_require_worker(WorkerName::new("z"))
        .with_kind(WorkerKind::Managed)
        .with_exclude_workers(vec!["y".into()])
        .with_prefer(vec!["x".into()])
        .with_tags(vec!["s".to_owned()])
        .with_max_cost_usd(1.0);
    let both = inner.within(&outer);
    assert_eq!(
        both,
        Constraints::new()
            .with_require_worker(WorkerName::new("a"))
            .with_kind(WorkerKind::Managed)
            .with_exclude_workers(vec!["b".into(), "y".into()])
            .with_prefer(vec!["c".into(), "x".into()])
            .with_tags(vec!["t".to_owned(), "s".to_owned()])
            .with_max_cost_usd(1.0)
    );
    let empty = Constraints::new();
    assert_eq!(empty.within(&outer), outer);
    assert_eq!(inner.within(&empty), inner);
    assert_eq!(empty.within(&empty), empty);
}

#[test]
fn tallies_count_by_worker_and_type() {
    let (w, v) = (WorkerName::new("w"), WorkerName::new("v"));
    let mut outcome_counts = OutcomeCounts::default();
    assert_eq!((outcome_counts.success_rate(&w, "t"), outcome_counts.attempts(&w)), (1.0, 0));
    for (success, expected) in [(false, 0.5), (true, 2.0 / 3.0), (true, 0.75), (false, 0.6)] {
        outcome_counts.record(&w, "t", success);
        assert_eq!(outcome_counts.success_rate(&w, "t"), expected);
    }
    outcome_counts.record(&w, "u", true);
    assert_eq!((outcome_counts.success_rate(&w, "u"), outcome_counts.attempts(&w)), (1.0, 5));
    assert_eq!((outcome_counts.success_rate(&v, "t"), outcome_counts.attempts(&v)), (1.0, 0));
    for (attempts, worth, expected) in
        [(3.0, 0.0, 0.25), (1.5, 0.25, 0.5), (1.0, 9.0, 1.0), (f64::NAN, -1.0, 1.0)]
    {
        let mut graded = OutcomeCounts::default();
        graded.add(&w, "t", attempts, worth);
        assert_eq!(graded.success_rate(&w, "t"), expected, "{worth} of {attempts}");
    }
    let loads = BTreeMap::from([(w.clone(), 0.25)]);
    let context = RoutingContext::new(&[], &loads, &outcome_counts).with_time_budget_ms(Some(5));
    assert_eq!(context.time_budget_ms, Some(5));
    assert_eq!(context.standing(&w, "t"), Standing::new(0.6, 0.25));
    assert_eq!(context.standing(&v, "t"), Standing::IDLE);
}

/// Takes the first worker.
struct First;

impl Router for First {
    fn route(
        &self,
        subtask: &Subtask,
        context: &RoutingContext<'_>,
    ) -> Result<RoutingDecision, RouteError> {
        let Some(worker) = context.available_workers.first() else {
            let (subtask, task_type) = (subtask.id.clone(), subtask.task_type.clone());
            return Err(RouteError::NoWorker { subtask, task_type });
        };
        Ok(RoutingDecision::new(subtask.id.clone(), worker.name().clone(), "the first"))
    }
}

#[test]
fn a_batch_is_routed_one_by_one_unless_the_router_knows_better() {
    let (loads, outcome_counts) = (BTreeMap::new(), OutcomeCounts::default());
    let workers = team(&[("w", &["t"]), ("v", &["t"])]);
    let subtasks = [subtask("t").into(), Subtask::new("b", "", "t").into()];
    let decisions =
        First.route_batch(&subtasks, &RoutingContext::new(&workers, &loads, &outcome_counts));
    let chosen: Vec<_> = decisions
        .unwrap()
        .into_iter()
        .map(|d| format!("{} {} {}", d.subtask_id, d.primary_worker, d.confidence))
        .collect();
    assert_eq!(chosen, ["a w 1", "b w 1"]);
    let error = First.route_batch(&subtasks, &RoutingContext::new(&[], &loads, &outcome_counts));
    assert_eq!(error.unwrap_err().to_string(), "no available worker fits subtask `a` of type `t`");
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Layer(&'static str, #[source] Option<Box<Layer>>);

#[test]
fn an_error_becomes_a_failure_with_all_its_causes() {
    let inner = Layer("connection reset", None);
    let outer = Layer("cannot call the model", Some(Box::new(inner)));
    let evidence = json!({ "stderr": "oh" }).as_object().unwrap().clone();
    let error = WorkerError::new(Cause::RateLimit, "no answer")
        .with_source(Some(Box::new(outer).into()))
        .with_retry_after(Duration::from_millis(1_500))
        .with_evidence(evidence.clone());
    assert_eq!(error.to_string(), "no answer");
    let failure = error.into_failure();
    assert_eq!(failure.message, "no answer: cannot call the model: connection reset");
    assert_eq!((failure.cause, failure.failure_type), (Cause::RateLimit, FailureType::Unavailable));
    assert_eq!((failure.retry_after_ms, failure.evidence.clone()), (Some(1_500), evidence));
    assert_eq!(
        failure.to_string(),
        "unavailable (rate_limit): no answer: cannot call the model: connection reset"
    );
    let endless = WorkerError::new(Cause::RateLimit, "wait").with_retry_after(Duration::MAX);
    assert_eq!(endless.into_failure().retry_after_ms, Some(u64::MAX));
}

#[test]
fn every_cause_has_its_type_and_says_whether_to_retry() {
    let shown: Vec<_> = Cause::ALL
        .iter()
        .map(|cause| {
            let retry = if cause.is_retryable() { "retry" } else { "final" };
            format!("{cause} {} {retry}", cause.failure_type())
        })
        .collect();
    assert_eq!(
        shown,
        [
            "timeout timeout retry",
            "deadline timeout final",
            "rate_limit unavailable retry",
            "auth error final",
            "invalid_input error final",
            "reported error retry",
            "crash error retry",
            "bad_output error retry",
            "output_limit error retry",
            "gate quality retry",
            "lease_lost unavailable retry",
            "lost unavailable retry",
            "unavailable unavailable retry",
            "no_worker unavailable final",
            "budget error final",
            "cancelled error final",
            "policy error retry",
        ]
    );
}

/// Kills nothing and knows nothing.
struct Idle;

#[async_trait::async_trait]
impl Reaper for Idle {
    async fn reap(&self, _: RunId, _: &[Fence], _: &[AttemptProcess]) -> Result<(), BoxError> {
        Ok(())
    }
}

#[test]
fn a_process_is_not_gone_unless_somebody_knows() {
    assert!(!Idle.is_gone(&ProcessId::new(1, 0, "")));
}
