//! Several subtasks at once: a greedy assignment under capacities.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use orch_core::{RouteError, Router, RoutingContext, RoutingDecision, Subtask, Worker, WorkerName};

use crate::WorkerRouter;
use crate::candidate::busy;

pub(crate) fn route(
    router: &WorkerRouter,
    subtasks: &[Arc<Subtask>],
    context: &RoutingContext<'_>,
) -> Result<Vec<RoutingDecision>, RouteError> {
    let mut by_priority: Vec<usize> = (0..subtasks.len()).collect();
    by_priority.sort_by_key(|i| Reverse(subtasks[*i].priority));

    let mut slots = Slots::new(context);
    let mut decisions = Vec::new();
    for i in by_priority {
        let subtask = &subtasks[i];
        match router.route(subtask, &slots.context(context)) {
            Ok(decision) => {
                slots.take(&decision.primary_worker);
                decisions.push((i, decision));
            }
            // Nobody who is free fits. That is an error only if nobody at all does.
            Err(RouteError::NoWorker { .. }) => drop(router.route(subtask, context)?),
            Err(other) => return Err(other),
        }
    }
    decisions.sort_by_key(|(i, _)| *i);
    Ok(decisions.into_iter().map(|(_, decision)| decision).collect())
}

/// Who has a free slot, while the batch fills them.
struct Slots {
    free: Vec<Arc<dyn Worker>>,
    loads: BTreeMap<WorkerName, f64>,
}

impl Slots {
    fn new(context: &RoutingContext<'_>) -> Self {
        let mut slots =
            Self { free: context.available_workers.to_vec(), loads: context.worker_loads.clone() };
        slots.drop_full();
        slots
    }

    fn context<'a>(&'a self, outer: &RoutingContext<'a>) -> RoutingContext<'a> {
        RoutingContext::new(&self.free, &self.loads, outer.outcome_counts)
            .with_constraints(outer.constraints)
            .with_time_budget_ms(outer.time_budget_ms)
    }

    fn take(&mut self, name: &WorkerName) {
        let Some(worker) = self.free.iter().find(|worker| worker.name() == name) else { return };
        let slots = worker.max_concurrency().get();
        let taken = busy(&**worker, self.load(name)) + 1;
        self.loads.insert(name.clone(), f64::from(taken) / f64::from(slots));
        self.drop_full();
    }

    fn drop_full(&mut self) {
        let loads = &self.loads;
        self.free.retain(|worker| {
            let load = loads.get(worker.name()).copied().unwrap_or(0.0);
            busy(&**worker, load) < worker.max_concurrency().get()
        });
    }

    fn load(&self, name: &WorkerName) -> f64 {
        self.loads.get(name).copied().unwrap_or(0.0)
    }
}
