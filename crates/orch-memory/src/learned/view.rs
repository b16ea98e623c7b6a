//! Puts together what policies see.

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_core::learned::{
    Day, History, Learned, PastRun, TaskStats, WorkerStats, decomposition_heuristics,
    decomposition_id, routing_heuristic,
};
use orch_core::{PlanSource, ProjectId, WorkerName};

use super::{Cell, Heuristic, Ruling, ruled};

/// What a store has said about a task.
pub(crate) struct Parts {
    pub(crate) histories: Vec<(Cell, History)>,
    /// All that is known of workers at the types that matter.
    pub(crate) workers: Vec<(Cell, WorkerStats)>,
    pub(crate) tasks: TaskStats,
    pub(crate) similar: Vec<(f64, PastRun)>,
    pub(crate) rulings: Vec<Ruling>,
}

/// Makes the view of a task of type `task_type`, with the rules for which there are at least `min_occurrences`.
pub(crate) fn view(
    project: &ProjectId,
    task_type: &str,
    parts: Parts,
    min_occurrences: u32,
) -> Learned {
    let today = parts.histories.iter().filter_map(|(_, history)| history.latest()).max();
    let mut learned = Learned::new();
    learned.project = project.clone();
    task_type.clone_into(&mut learned.task_type);
    learned.today = today.unwrap_or(Day(0));
    for (cell, history) in parts.histories {
        let mut stats = WorkerStats::default();
        stats.history = history;
        put(&mut learned.workers, cell, stats);
    }
    let mut types: Vec<String> = Vec::new();
    for (cell, stats) in parts.workers {
        if !types.contains(&cell.task_type) {
            types.push(cell.task_type.clone());
        }
        put(&mut learned.workers, cell, stats);
    }
    types.sort();
    learned.routing = types
        .iter()
        .filter_map(|task_type| {
            let workers = learned.workers.get(task_type.as_str())?;
            routing_heuristic(project, task_type, workers, learned.today, min_occurrences)
        })
        .collect();
    learned.decomposition =
        decomposition_heuristics(project, task_type, &parts.tasks, learned.today, min_occurrences);
    let (routing, decomposition) = (&mut learned.routing, &mut learned.decomposition);
    ruled(&parts.rulings, routing, decomposition, |heuristic| match heuristic {
        Heuristic::Routing(_) => true,
        Heuristic::Decomposition(rule) => PlanSource::ALL
            .iter()
            .any(|source| decomposition_id(project, task_type, *source) == rule.id),
    });
    learned.tasks = parts.tasks;
    learned.similar =
        parts.similar.into_iter().map(|(score, past)| (score, Arc::new(past))).collect();
    learned
}

fn put(
    workers: &mut BTreeMap<Arc<str>, BTreeMap<WorkerName, WorkerStats>>,
    cell: Cell,
    stats: WorkerStats,
) {
    match workers.get_mut(cell.task_type.as_str()) {
        Some(of_type) => drop(of_type.insert(cell.worker, stats)),
        None => drop(workers.insert(cell.task_type.into(), BTreeMap::from([(cell.worker, stats)]))),
    }
}
