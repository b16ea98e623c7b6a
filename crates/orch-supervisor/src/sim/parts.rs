//! Workers and policies of simulated processes. Workers only say what they can do: the world makes their attempts.

use std::num::NonZeroU32;
use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use orch_core::{
    Cause, ComplexTask, FailureContext, FailureDecision, FailureEvent, FailureHandler, Gate,
    Intervention, InterventionType, RouteError, Router, RoutingContext, RoutingDecision, Subtask,
    Worker, WorkerCapability, WorkerContext, WorkerError, WorkerKind, WorkerName, WorkerResult,
};

use super::dice::Dice;
use crate::defaults::BestCanHandle;
use crate::driver::Policies;
use crate::part::Inline;

/// A worker that is only looked at.
#[derive(Debug)]
pub(super) struct SimWorker {
    name: WorkerName,
    capabilities: Vec<WorkerCapability>,
    kind: WorkerKind,
    slots: NonZeroU32,
}

impl SimWorker {
    pub(super) fn new(name: &str, types: &[&str], kind: WorkerKind, slots: u64) -> Self {
        let slots = u32::try_from(slots).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        let capabilities = vec![WorkerCapability::new(name, types.iter().copied())];
        Self { name: WorkerName::new(name), capabilities, kind, slots }
    }

    pub(super) fn name_of(&self) -> WorkerName {
        self.name.clone()
    }
}

#[async_trait]
impl Worker for SimWorker {
    fn name(&self) -> &WorkerName {
        &self.name
    }

    fn capabilities(&self) -> &[WorkerCapability] {
        &self.capabilities
    }

    fn kind(&self) -> WorkerKind {
        self.kind
    }

    fn max_concurrency(&self) -> NonZeroU32 {
        self.slots
    }

    async fn execute(&self, _: WorkerContext) -> Result<WorkerResult, WorkerError> {
        Err(WorkerError::new(Cause::Unavailable, "the simulator makes attempts by itself"))
    }
}

/// Returns the policies of a process. With `odd` above 0 they misbehave in so many of a hundred questions.
pub(super) fn policies(seed: u64, odd: u64) -> Policies {
    let router = OddRouter { dice: Mutex::new(Dice::new(seed)), odd };
    let handler = OddHandler { dice: Mutex::new(Dice::new(!seed)), odd };
    // In a quarter of all processes the policies are asked on threads.
    let is_threaded = seed.is_multiple_of(4);
    Policies {
        router: if is_threaded { router.into() } else { Inline(router).into() },
        failure_handler: if is_threaded { handler.into() } else { Inline(handler).into() },
        gates: if is_threaded { vec![Gate::NonEmpty.into()] } else { Vec::new() },
        has_memory: true,
    }
}

/// Returns the default policies of a supervisor.
#[cfg(test)]
pub(crate) fn policies_of_defaults() -> Policies {
    Policies {
        router: Inline(BestCanHandle).into(),
        failure_handler: Inline(crate::defaults::NoRetry).into(),
        gates: Vec::new(),
        has_memory: false,
    }
}

/// Returns a worker that does subtasks of the type that has its name.
#[cfg(test)]
pub(crate) fn worker_of(name: &str, slots: u64) -> std::sync::Arc<dyn Worker> {
    std::sync::Arc::new(SimWorker::new(name, &[name], WorkerKind::Managed, slots))
}

fn draw(dice: &Mutex<Dice>) -> u64 {
    dice.lock().unwrap_or_else(PoisonError::into_inner).below(100)
}

/// Panics without a message on stderr.
fn panic_quietly() -> ! {
    resume_unwind(Box::new("this policy panics now and then"))
}

struct OddRouter {
    dice: Mutex<Dice>,
    odd: u64,
}

impl Router for OddRouter {
    fn route(
        &self,
        subtask: &Subtask,
        context: &RoutingContext<'_>,
    ) -> Result<RoutingDecision, RouteError> {
        if draw(&self.dice) < self.odd {
            return match draw(&self.dice) % 3 {
                0 => panic_quietly(),
                1 => Ok(RoutingDecision::new(subtask.id.clone(), "nobody", "for no reason")),
                _else => Err(RouteError::NoWorker {
                    subtask: subtask.id.clone(),
                    task_type: subtask.task_type.clone(),
                }),
            };
        }
        BestCanHandle.route(subtask, context)
    }
}

struct OddHandler {
    dice: Mutex<Dice>,
    odd: u64,
}

impl FailureHandler for OddHandler {
    fn handle_failure(
        &self,
        failure: &FailureEvent,
        _: &Subtask,
        context: &FailureContext<'_>,
    ) -> FailureDecision {
        if draw(&self.dice) < self.odd {
            panic_quietly();
        }
        if context.failures > context.policy.max_retries || !failure.cause.is_retryable() {
            return FailureDecision::give_up("tried often enough");
        }
        let doubled = context.policy.retry_delay_ms << context.failures.min(8);
        let longest = doubled.min(context.policy.max_delay_ms) as f64;
        let pause = Duration::from_millis((longest * context.draw) as u64);
        let decision = match draw(&self.dice) {
            0..20 => FailureDecision::retry_on(failure.worker.clone(), pause, "the same again"),
            20..25 => FailureDecision::retry_on(WorkerName::new("nobody"), pause, "by nobody"),
            25..40 => FailureDecision::retry(Duration::ZERO, "at once"),
            _else => FailureDecision::retry(pause, "later"),
        };
        if draw(&self.dice) < 20 {
            let nudge =
                Intervention::new(InterventionType::RetryWithBackoff, "it failed", "try harder");
            return decision.with_intervention(nudge);
        }
        decision
    }

    fn should_abort(&self, failures: &[FailureEvent], _: &ComplexTask) -> bool {
        failures.len() > 3 && draw(&self.dice) < 30
    }
}
