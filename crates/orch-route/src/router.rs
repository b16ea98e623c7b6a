//! The router: filter, rank, decide, explain.

use std::sync::Arc;

use orch_core::{
    Constraints, RouteError, Router, RoutingContext, RoutingDecision, RoutingStrategy, Subtask,
};

use crate::batch;
use crate::candidate::Ranking;
use crate::reason::sentence;
use crate::strategy::{Order, UnavailableStrategy};

/// Routes each subtask to one of the available workers.
///
/// A worker is a candidate when the constraints of the subtask and of the context admit it and its `can_handle`, which
/// weighs type match, proficiency, history and load, is a positive number up to 1. Then the strategy decides:
///
/// | strategy | first | then |
/// |---|---|---|
/// | `best_fit` | the highest `can_handle` | the lower load |
/// | `least_loaded` | the lowest load | the higher `can_handle` |
/// | `round_robin` | the fewest turns: attempts finished in this run, and those in flight by its load | |
///
/// and after that the order of registration. Under every strategy, workers that the constraints `prefer` go before all
/// others as long as they are candidates, in the order in which they are named. All other candidates, in the same order,
/// are the fallbacks. `confidence` is the chosen worker's `can_handle`.
///
/// `max_cost_usd` and the time budget do not count here: what an attempt will cost or take is not known without memory; the
/// engine enforces both.
#[derive(Debug, Clone)]
pub struct WorkerRouter {
    order: Order,
}

impl WorkerRouter {
    /// Makes a router.
    ///
    /// # Errors
    /// When the strategy is not available: `memory_informed` needs what only a memory knows.
    pub fn new(strategy: RoutingStrategy) -> Result<Self, UnavailableStrategy> {
        Ok(Self { order: Order::try_from(strategy)? })
    }
}

impl Default for WorkerRouter {
    /// Makes a router that takes the best fit.
    fn default() -> Self {
        Self { order: Order::BestFit }
    }
}

impl Router for WorkerRouter {
    fn route(
        &self,
        subtask: &Subtask,
        context: &RoutingContext<'_>,
    ) -> Result<RoutingDecision, RouteError> {
        let constraints = combined(subtask, context.constraints);
        let context = context.with_constraints(constraints.as_ref().or(context.constraints));
        let ranking = Ranking::new(self.order, subtask, &context);
        let Some((chosen, others)) = ranking.candidates.split_first() else {
            return Err(RouteError::NoWorker {
                subtask: subtask.id.clone(),
                task_type: subtask.task_type.clone(),
            });
        };
        let reason = sentence(self.order, chosen, &ranking, subtask);
        let fallbacks: Vec<_> = others.iter().map(|other| other.worker.name().clone()).collect();
        Ok(RoutingDecision::new(subtask.id.clone(), chosen.worker.name().clone(), reason)
            .with_fallback_workers(fallbacks)
            .with_confidence(chosen.score))
    }

    /// Chooses workers for several subtasks that would start together, at most as many as there are free slots.
    ///
    /// The subtasks choose one after the other, higher priority first, then in the given order; each choice counts in the
    /// load of its worker, and a worker without a free slot is no candidate any more. Free slots are `max_concurrency` less
    /// the load that the context knows of. The decisions come in the order of `subtasks`; a subtask that is left without a
    /// free slot has none: ask again when an attempt has ended.
    ///
    /// # Errors
    /// When one of them fits no available worker, free or not.
    fn route_batch(
        &self,
        subtasks: &[Arc<Subtask>],
        context: &RoutingContext<'_>,
    ) -> Result<Vec<RoutingDecision>, RouteError> {
        batch::route(self, subtasks, context)
    }
}

/// Returns the subtask's constraints within the outer ones, `None` when it has none of its own.
fn combined(subtask: &Subtask, outer: Option<&Constraints>) -> Option<Constraints> {
    let own = subtask.constraints.as_ref()?;
    Some(outer.map_or_else(|| own.clone(), |outer| own.within(outer)))
}
