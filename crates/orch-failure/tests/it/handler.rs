//! Decisions, case by case.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use orch_core::{
    Cause, ComplexTask, Constraints, Failure, FailureContext, FailureDecision, FailureEvent,
    FailureHandler, Intervention, InterventionEngine, InterventionType, Issue, IssueKind,
    OutcomeCounts, RetryPolicy, RoutingContext, Subtask, Worker, WorkerName,
};
use orch_failure::{AbortRule, RetryingFailureHandler};

use crate::worker::worker;

/// A question to the handler: subtask `s` failed at worker `a`, the first time and by a crash unless a test says otherwise.
struct Question {
    handler: RetryingFailureHandler,
    subtask: Subtask,
    failure: Failure,
    failures: u32,
    policy: RetryPolicy,
    workers: Vec<Arc<dyn Worker>>,
    tried: Vec<WorkerName>,
    constraints: Option<Constraints>,
    time_budget_ms: Option<u64>,
    loads: BTreeMap<WorkerName, f64>,
    outcome_counts: OutcomeCounts,
    history: OutcomeCounts,
}

impl Question {
    fn about(cause: Cause) -> Self {
        Self {
            handler: RetryingFailureHandler::new(),
            subtask: Subtask::new("s", "do it", "work"),
            failure: Failure::new(cause, "it failed"),
            failures: 1,
            policy: RetryPolicy::default(),
            workers: vec![worker("a", 1.0)],
            tried: vec!["a".into()],
            constraints: None,
            time_budget_ms: None,
            loads: BTreeMap::new(),
            outcome_counts: OutcomeCounts::default(),
            history: OutcomeCounts::default(),
        }
    }

    fn workers(mut self, workers: &[(&str, f64)]) -> Self {
        self.workers = workers.iter().map(|(name, fit)| worker(name, *fit)).collect();
        self
    }

    fn policy(mut self, policy: RetryPolicy) -> Self {
        self.policy = policy;
        self
    }

    fn constraints(mut self, constraints: Constraints) -> Self {
        self.constraints = Some(constraints);
        self
    }

    fn failures(mut self, failures: u32) -> Self {
        self.failures = failures;
        self
    }

    fn event(&self) -> FailureEvent {
        let at = "2026-01-01T00:00:00Z".parse().expect("a valid time");
        FailureEvent::new("s".into(), "a".into(), &self.failure, at)
    }

    fn ask(&self) -> FailureDecision {
        let routing = RoutingContext::new(&self.workers, &self.loads, &self.outcome_counts)
            .with_history(Some(&self.history))
            .with_constraints(self.constraints.as_ref())
            .with_time_budget_ms(self.time_budget_ms);
        let context = FailureContext::new(&self.policy, routing, &self.tried, 0.5)
            .with_failures(self.failures);
        self.handler.handle_failure(&self.event(), &self.subtask, &context)
    }

    #[track_caller]
    fn retries_on(&self, expected: Option<&str>, expected_ms: u64) {
        let decision = self.ask();
        let FailureDecision::Retry { after, worker, .. } = decision else { panic!("{decision:?}") };
        assert_eq!(worker.as_ref().map(WorkerName::as_str), expected);
        assert_eq!(after, Duration::from_millis(expected_ms));
    }

    #[track_caller]
    fn gives_up(&self, expected: &str) {
        assert_eq!(self.ask(), FailureDecision::give_up(expected));
    }
}

#[test]
fn causes_that_no_retry_cures_are_final_even_with_another_worker() {
    for cause in Cause::ALL.iter().copied().filter(|cause| !cause.is_retryable()) {
        Question::about(cause)
            .workers(&[("a", 1.0), ("b", 1.0)])
            .gives_up(&format!("a failure by `{cause}` is not tried again"));
    }
}

#[test]
fn all_other_causes_are_tried_again_until_the_retries_are_used_up() {
    for cause in Cause::ALL.iter().copied().filter(|cause| cause.is_retryable()) {
        let question = Question::about(cause);
        question.retries_on(None, 500);
        question.failures(2).retries_on(None, 1_000);
        Question::about(cause).failures(3).gives_up("failed 3 times, 2 retries are allowed");
    }
}

#[test]
fn no_retries_means_no_fallback_either() {
    Question::about(Cause::Unavailable)
        .workers(&[("a", 1.0), ("b", 1.0)])
        .policy(RetryPolicy::default().with_max_retries(0u32))
        .gives_up("failed 1 times, 0 retries are allowed");
}

#[test]
fn an_untried_worker_takes_over_at_once_when_the_first_was_unavailable() {
    for (cause, pause) in [
        (Cause::Unavailable, 0),
        (Cause::RateLimit, 0),
        (Cause::LeaseLost, 0),
        (Cause::Crash, 500),
        (Cause::Timeout, 500),
        (Cause::Gate, 500),
    ] {
        Question::about(cause).workers(&[("a", 1.0), ("b", 0.2)]).retries_on(Some("b"), pause);
    }
}

#[test]
fn the_fallback_is_the_best_that_is_able_admitted_and_untried() {
    let asked = |workers: &[(&str, f64)]| Question::about(Cause::Crash).workers(workers);
    asked(&[("a", 1.0), ("b", 0.4), ("c", 0.6)]).retries_on(Some("c"), 500);
    asked(&[("a", 1.0), ("b", 0.4), ("c", 0.4)]).retries_on(Some("b"), 500);
    asked(&[("a", 1.0), ("b", 0.0), ("c", f64::NAN)]).retries_on(None, 500);

    let workers = [("a", 1.0), ("b", 0.4), ("c", 0.6)];
    let but_c = Constraints::new().with_exclude_workers(["c".into()]);
    asked(&workers).constraints(but_c).retries_on(Some("b"), 500);
    let rather_b = Constraints::new().with_prefer(["a".into(), "b".into()]);
    asked(&workers).constraints(rather_b).retries_on(Some("b"), 500);
    let only_a = Constraints::new().with_require_worker(Some("a".into()));
    asked(&workers).constraints(only_a).retries_on(None, 500);

    let mut second = asked(&workers).failures(2);
    second.tried = vec!["c".into(), "a".into()];
    second.retries_on(Some("b"), 1_000);
}

#[test]
fn the_fallback_depends_on_load_and_on_what_was_seen_of_workers() {
    let asked = || Question::about(Cause::Crash).workers(&[("a", 1.0), ("b", 0.4), ("c", 0.6)]);
    asked().retries_on(Some("c"), 500);

    let mut busy = asked();
    busy.loads.insert("c".into(), 0.5);
    busy.retries_on(Some("b"), 500);

    let mut failed_in_this_run = asked();
    failed_in_this_run.outcome_counts.record(&"c".into(), "work", false);
    failed_in_this_run.retries_on(Some("b"), 500);

    let mut failed_in_earlier_runs = asked();
    failed_in_earlier_runs.history.add(&"c".into(), "work", 1.0, 0.0);
    failed_in_earlier_runs.retries_on(Some("b"), 500);
}

#[test]
fn without_fallback_the_worker_that_failed_tries_again() {
    Question::about(Cause::Unavailable)
        .workers(&[("a", 1.0), ("b", 1.0)])
        .policy(RetryPolicy::default().with_use_fallback_worker(false))
        .retries_on(Some("a"), 500);
}

#[test]
fn the_pause_is_not_shorter_than_asked_for_unless_another_worker_starts_at_once() {
    let mut question = Question::about(Cause::RateLimit);
    question.failure = question.failure.with_retry_after_ms(90_000);
    question.retries_on(None, 90_000);
    question.failure = question.failure.with_retry_after_ms(10);
    question.retries_on(None, 500);
    question.failure = question.failure.with_retry_after_ms(u64::MAX);
    question.retries_on(None, u64::MAX);
    question.workers(&[("a", 1.0), ("b", 1.0)]).retries_on(Some("b"), 0);
}

#[test]
fn a_retry_that_would_come_too_late_is_not_made() {
    let mut question = Question::about(Cause::Crash);
    question.time_budget_ms = Some(501);
    question.retries_on(None, 500);
    question.time_budget_ms = Some(500);
    question.gives_up("the retry would come after 500ms, and only 500ms are left");

    let deadline = |text: &str| {
        let mut question = Question::about(Cause::Crash);
        question.subtask = question.subtask.with_deadline(text.parse::<jiff::Timestamp>().unwrap());
        question
    };
    deadline("2026-01-01T00:00:01Z").retries_on(None, 500);
    deadline("2026-01-01T00:00:00.4Z")
        .gives_up("the retry would come after 500ms, and only 400ms are left");
    deadline("2025-12-31T00:00:00Z")
        .gives_up("the retry would come after 500ms, and only 0ns are left");
}

#[test]
fn the_reason_says_what_why_and_who() {
    let reason = |question: Question| {
        let decision = question.ask();
        let FailureDecision::Retry { reason, .. } = decision else { panic!("{decision:?}") };
        reason
    };
    assert_eq!(
        reason(Question::about(Cause::Crash).workers(&[("a", 1.0), ("b", 1.0)])),
        "retry 1 of 2 after 500ms: `a` failed by `crash`, `b` has not failed at it"
    );
    assert_eq!(
        reason(Question::about(Cause::Timeout)),
        "retry 1 of 2 after 500ms: `a` failed by `timeout`, no untried worker fits"
    );
    let same = RetryPolicy::default().with_use_fallback_worker(false);
    assert_eq!(
        reason(Question::about(Cause::Timeout).policy(same)),
        "retry 1 of 2 after 500ms: `a` failed by `timeout`, no other worker may try"
    );
}

/// Answers every issue with what it was told.
struct Echo;

impl InterventionEngine for Echo {
    fn recommend(&self, issue: &Issue, subtask: &Subtask) -> Option<Intervention> {
        assert_eq!(issue.kind, IssueKind::Quality);
        let reason = format!("{} {:.2} {}", subtask.id, issue.severity, issue.reason);
        Some(Intervention::new(InterventionType::BreakLoop, reason, "try another way"))
    }
}

/// Knows no advice.
struct Silent;

impl InterventionEngine for Silent {
    fn recommend(&self, _issue: &Issue, _subtask: &Subtask) -> Option<Intervention> {
        None
    }
}

#[test]
fn poor_results_are_put_to_the_intervention_engine_from_the_second_on() {
    let advice = |cause, failures, engine: Arc<dyn InterventionEngine>| {
        let mut question = Question::about(cause).failures(failures);
        question.handler = RetryingFailureHandler::new().with_intervention_engine(engine);
        let decision = question.ask();
        let FailureDecision::Retry { intervention, .. } = decision else { panic!("{decision:?}") };
        intervention.map(|i| i.reason)
    };
    assert_eq!(advice(Cause::Gate, 1, Arc::new(Echo)), None);
    assert_eq!(
        advice(Cause::Gate, 2, Arc::new(Echo)).as_deref(),
        Some("s 0.67 failure 2 of the subtask: it failed")
    );
    assert_eq!(advice(Cause::Gate, 2, Arc::new(Silent)), None);
    assert_eq!(advice(Cause::Crash, 2, Arc::new(Echo)), None);
}

#[test]
fn the_abort_rule_decides_about_the_run() {
    let task = ComplexTask::new("t", "do it all", "work");
    let failures = [Question::about(Cause::Auth).event(), Question::about(Cause::Auth).event()];
    let same = AbortRule::SameCause(NonZeroU32::MIN);
    for (rule, expected) in
        [(AbortRule::Never, false), (AbortRule::MoreThan(1), true), (same, true)]
    {
        let handler = RetryingFailureHandler::new().with_abort_rule(rule);
        assert_eq!(handler.should_abort(&failures, &task), expected, "{rule:?}");
    }
}
