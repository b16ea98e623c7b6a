//! Puts together what policies see.

use std::collections::HashSet;
use std::sync::Arc;

use orch_core::learned::{
    Learned, PastRun, decomposition_heuristics, decomposition_id, routing_heuristic,
};
use orch_core::{PlanSource, ProjectId};

use super::{Heuristic, Known, ruled};

/// The most types of subtask about which there are rules: a bound takes a hundred times as long as everything else about a worker.
const RULED: usize = 8;

/// Makes the view of a task of type `task_type` from what is known and from past runs that resemble it, each with its similarity;
/// with the rules for which there are at least `min_occurrences`.
pub(crate) fn view(
    project: &ProjectId,
    task_type: &str,
    mut known: Known,
    similar: Vec<(f64, PastRun)>,
    min_occurrences: u32,
) -> Learned {
    let mut learned = Learned::new();
    learned.project = project.clone();
    task_type.clone_into(&mut learned.task_type);
    learned.today = known.today();
    learned.workers = known.workers;
    learned.tasks = known.tasks.remove(task_type).unwrap_or_default();
    learned.routing = types(task_type, &similar)
        .filter_map(|of_type| {
            let workers = learned.workers.get(of_type)?;
            routing_heuristic(project, of_type, workers, learned.today, min_occurrences)
        })
        .collect();
    learned.decomposition = decomposition_heuristics(
        project,
        task_type,
        &learned.tasks,
        learned.today,
        min_occurrences,
    );
    let (routing, decomposition) = (&mut learned.routing, &mut learned.decomposition);
    ruled(&known.rulings, routing, decomposition, |heuristic| match heuristic {
        Heuristic::Routing(_) => true,
        Heuristic::Decomposition(rule) => PlanSource::ALL
            .iter()
            .any(|source| decomposition_id(project, task_type, *source) == rule.id),
    });
    learned.similar = similar.into_iter().map(|(score, past)| (score, Arc::new(past))).collect();
    learned
}

/// The types that the task's subtasks are likely to have: its own, and those of subtasks of similar runs.
fn types<'a>(task_type: &'a str, similar: &'a [(f64, PastRun)]) -> impl Iterator<Item = &'a str> {
    let steps = similar.iter().flat_map(|(_, past)| &past.steps);
    let all = std::iter::once(task_type).chain(steps.map(|step| step.task_type.as_str()));
    let mut seen = HashSet::new();
    all.filter(move |of_type| seen.insert(*of_type)).take(RULED)
}
