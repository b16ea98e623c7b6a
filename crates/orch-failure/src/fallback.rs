//! Who else could do a subtask that a worker has failed at.

use std::cmp::Reverse;

use orch_core::{FailureContext, Subtask, Worker, WorkerName, fit};

/// Returns the worker that fits `subtask` best among those that are there, are admitted and have not failed at it yet.
///
/// Preferred workers go first, then the best fit, then the order of registration.
pub(crate) fn untried(subtask: &Subtask, context: &FailureContext<'_>) -> Option<WorkerName> {
    context
        .routing
        .available_workers
        .iter()
        .map(|worker| &**worker)
        .filter(|worker| !context.tried.contains(worker.name()) && context.routing.admits(*worker))
        .map(|worker| (worker, score(worker, subtask, context)))
        .filter(|(_, score)| *score > 0.0)
        // Of equal keys the last one wins in `max_by`, so the order of registration is turned around.
        .rev()
        .max_by(|(a, fit_a), (b, fit_b)| {
            Reverse(preference(*a, context))
                .cmp(&Reverse(preference(*b, context)))
                .then(fit_a.total_cmp(fit_b))
        })
        .map(|(worker, _)| worker.name().clone())
}

fn score(worker: &dyn Worker, subtask: &Subtask, context: &FailureContext<'_>) -> f64 {
    fit(worker, subtask, &context.routing.standing(worker.name(), &subtask.task_type)).score
}

/// Returns the worker's place among the preferred ones; those that are not preferred come after them.
fn preference(worker: &dyn Worker, context: &FailureContext<'_>) -> usize {
    let Some(constraints) = context.routing.constraints else { return usize::MAX };
    constraints.prefer.iter().position(|name| name == worker.name()).unwrap_or(usize::MAX)
}
