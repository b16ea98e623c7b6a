//! The failure handler: give up, or retry when and on whom.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use orch_core::{
    Cause, ComplexTask, FailureContext, FailureDecision, FailureEvent, FailureHandler, FailureType,
    Intervention, InterventionEngine, Issue, IssueKind, Subtask, Worker, WorkerKind, WorkerName,
};

use crate::fallback::untried;
use crate::{AbortRule, backoff};

/// Retries failed subtasks within the run's policy.
///
/// - A cause that no retry can cure ([`Cause::is_retryable`](orch_core::Cause::is_retryable)), and a failure beyond
///   `max_retries`, is final. So is one whose retry would come after the subtask's deadline or the time that the run has left.
/// - With `use_fallback_worker`, a worker that fits and has not failed at the subtask yet makes the retry; when there is
///   none, the router chooses. Without, the worker that failed makes it.
/// - The pause is [`backoff`], and not shorter than the time for which the other side asked to be left alone. After a
///   failure of type `unavailable` an untried worker starts at once: it is not the one that has to recover. So does the retry of
///   what a pull worker has reported as failed: an agent has nothing to recover from. Both count as retries.
/// - From the second failure on, one of type `quality` is put to the intervention engine, if there is one; what it
///   recommends goes with the retry.
#[derive(Clone, Default)]
pub struct RetryingFailureHandler {
    abort: AbortRule,
    interventions: Option<Arc<dyn InterventionEngine>>,
}

impl RetryingFailureHandler {
    /// Makes a handler that never aborts a run and makes no interventions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets when a run should end early.
    #[must_use]
    pub fn with_abort_rule(mut self, rule: AbortRule) -> Self {
        self.abort = rule;
        self
    }

    /// Sets who is asked about results that stay poor.
    #[must_use]
    pub fn with_intervention_engine(mut self, engine: Arc<dyn InterventionEngine>) -> Self {
        self.interventions = Some(engine);
        self
    }

    fn intervention(
        &self,
        failure: &FailureEvent,
        subtask: &Subtask,
        context: &FailureContext<'_>,
    ) -> Option<Intervention> {
        let engine = self.interventions.as_ref()?;
        if failure.failure_type != FailureType::Quality || context.failures < 2 {
            return None;
        }
        engine.recommend(&quality_issue(failure, context), subtask)
    }
}

impl FailureHandler for RetryingFailureHandler {
    fn handle_failure(
        &self,
        failure: &FailureEvent,
        subtask: &Subtask,
        context: &FailureContext<'_>,
    ) -> FailureDecision {
        if !failure.cause.is_retryable() {
            return FailureDecision::give_up(format!(
                "a failure by `{}` is not tried again",
                failure.cause
            ));
        }
        let (failures, allowed) = (context.failures, context.policy.max_retries);
        if failures > allowed {
            return FailureDecision::give_up(format!(
                "failed {failures} times, {allowed} retries are allowed"
            ));
        }
        let retry = Retry::choose(failure, subtask, context);
        if let Some(reason) = retry.is_too_late(failure, subtask, context) {
            return FailureDecision::give_up(reason);
        }
        let decision = retry.into_decision(failure, context);
        match self.intervention(failure, subtask, context) {
            Some(intervention) => decision.with_intervention(intervention),
            None => decision,
        }
    }

    fn should_abort(&self, failures: &[FailureEvent], _task: &ComplexTask) -> bool {
        self.abort.applies(failures)
    }
}

/// Who makes the retry, and after which pause.
struct Retry {
    on: On,
    after: Duration,
}

enum On {
    /// Another worker, which has not failed yet.
    Untried(WorkerName),
    /// The worker that failed.
    Same(WorkerName),
    /// The worker that the router chooses.
    Any,
}

impl Retry {
    fn choose(failure: &FailureEvent, subtask: &Subtask, context: &FailureContext<'_>) -> Self {
        let on = if context.policy.use_fallback_worker {
            untried(subtask, context).map_or(On::Any, On::Untried)
        } else {
            On::Same(failure.worker.clone())
        };
        let after = match (&on, failure.failure_type) {
            (On::Untried(_), FailureType::Unavailable) => Duration::ZERO,
            (On::Untried(_) | On::Same(_) | On::Any, _) if is_said_by_agent(failure, context) => {
                asked_for(failure)
            }
            (On::Untried(_) | On::Same(_) | On::Any, _) => pause(failure, context),
        };
        Self { on, after }
    }

    /// Returns why the retry would come too late, if it would.
    fn is_too_late(
        &self,
        failure: &FailureEvent,
        subtask: &Subtask,
        context: &FailureContext<'_>,
    ) -> Option<String> {
        let to_deadline = subtask.deadline.map(|at| {
            // A deadline that has passed leaves no time.
            Duration::try_from(at.duration_since(failure.timestamp)).unwrap_or_default()
        });
        let in_budget = context.routing.time_budget_ms.map(Duration::from_millis);
        let left = to_deadline.into_iter().chain(in_budget).min()?;
        (self.after >= left).then(|| {
            format!("the retry would come after {:?}, and only {left:?} are left", self.after)
        })
    }

    fn into_decision(
        self,
        failure: &FailureEvent,
        context: &FailureContext<'_>,
    ) -> FailureDecision {
        let Self { on, after } = self;
        let shown = Duration::from_millis(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
        let when = if after.is_zero() { "at once".to_owned() } else { format!("after {shown:?}") };
        let what = format!(
            "retry {} of {} {when}: `{}` failed by `{}`",
            context.failures, context.policy.max_retries, failure.worker, failure.cause
        );
        match on {
            On::Untried(worker) => {
                let reason = format!("{what}, `{worker}` has not failed at it");
                FailureDecision::retry_on(worker, after, reason)
            }
            On::Same(worker) => {
                FailureDecision::retry_on(worker, after, format!("{what}, no other worker may try"))
            }
            On::Any => FailureDecision::retry(after, format!("{what}, no untried worker fits")),
        }
    }
}

fn pause(failure: &FailureEvent, context: &FailureContext<'_>) -> Duration {
    let retry = NonZeroU32::new(context.failures).unwrap_or(NonZeroU32::MIN);
    backoff(context.policy, retry, context.draw).max(asked_for(failure))
}

fn asked_for(failure: &FailureEvent) -> Duration {
    Duration::from_millis(failure.retry_after_ms.unwrap_or(0))
}

/// Tells whether a pull worker has done its part and reports that it failed.
fn is_said_by_agent(failure: &FailureEvent, context: &FailureContext<'_>) -> bool {
    let workers = context.routing.available_workers;
    let is_pull = |worker: &&Arc<dyn Worker>| worker.kind() == WorkerKind::Pull;
    failure.cause == Cause::Reported
        && workers.iter().find(|w| *w.name() == failure.worker).is_some_and(|w| is_pull(&w))
}

/// The issue of a result that is poor again; as severe as the share of attempts that is used up.
fn quality_issue(failure: &FailureEvent, context: &FailureContext<'_>) -> Issue {
    let allowed = f64::from(context.policy.max_retries) + 1.0;
    Issue::new(
        IssueKind::Quality,
        failure.subtask_id.clone(),
        (f64::from(context.failures) / allowed).min(1.0),
        format!("failure {} of the subtask: {}", context.failures, failure.error_message),
    )
}
