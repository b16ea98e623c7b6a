//! What memory hands to policies.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    Day, HALF_LIFE_DAYS, PastRun, TaskStats, Weighted, WorkerSummary, decomposition_id, routing_id,
};
use crate::{
    DecompositionHeuristic, OutcomeCounts, PlanSource, ProjectId, RoutingHeuristic, WorkerName,
};

/// What is known that may help with a task. Made once per run; the same memory gives the same view.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Learned {
    /// Whose memory it is of.
    pub project: ProjectId,
    /// The type of the task that it is made for.
    pub task_type: String,
    /// The latest day on which something was learned in the project: decay is measured as of this day, so that a view does
    /// not depend on when it is made.
    pub today: Day,
    /// How workers did, by type of subtask: all of the project, since nobody knows yet which types a plan will have.
    pub workers: BTreeMap<Arc<str>, BTreeMap<WorkerName, WorkerSummary>>,
    /// How runs of the task's type went.
    pub tasks: TaskStats,
    /// Past runs that resemble the task, the most similar first, each with its similarity, 0 to 1.
    pub similar: Vec<(f64, Arc<PastRun>)>,
    /// Rules about who should do what, for the task's type and those of the subtasks in `similar`; pinned ones first.
    pub routing: Vec<RoutingHeuristic>,
    /// Rules about how tasks of this type are split; pinned ones first.
    pub decomposition: Vec<DecompositionHeuristic>,
}

impl Default for Learned {
    fn default() -> Self {
        Self {
            project: ProjectId::new(""),
            task_type: String::new(),
            today: Day(0),
            workers: BTreeMap::new(),
            tasks: TaskStats::default(),
            similar: Vec::new(),
            routing: Vec::new(),
            decomposition: Vec::new(),
        }
    }
}

impl Learned {
    /// Makes an empty view.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the workers that a person wants for subtasks of type `task_type`, best first: those of the rule about it, if it is
    /// pinned.
    pub fn pinned_workers(&self, task_type: &str) -> &[WorkerName] {
        // Only a person is that sure.
        let pinned = self.routing_rule(task_type).filter(|rule| rule.confidence >= 1.0);
        pinned.map_or(&[], |rule| &rule.worker_preference)
    }

    /// Returns the rule about who should do subtasks of type `task_type`; `None` when there is none in this view.
    pub fn routing_rule(&self, task_type: &str) -> Option<&RoutingHeuristic> {
        let id = routing_id(&self.project, task_type);
        self.routing.iter().find(|rule| rule.id == id)
    }

    /// Returns the rule about plans from `source` for such tasks; `None` when there is too little to make one of, or a person
    /// has forbidden it.
    pub fn plan_rule(&self, source: PlanSource) -> Option<&DecompositionHeuristic> {
        let id = decomposition_id(&self.project, &self.task_type, source);
        self.decomposition.iter().find(|rule| rule.id == id)
    }

    /// Returns what runs with plans from `source` were worth on average, 0 to 1, decayed as of today; `None` without such runs.
    pub fn worth_of_plans(&self, source: PlanSource) -> Option<f64> {
        let plans = self.tasks.plans.get(&source)?;
        plans.history.decayed(self.today, HALF_LIFE_DAYS).mean_reward()
    }

    /// Returns what is known of `worker` at `task_type`.
    pub fn of(&self, worker: &WorkerName, task_type: &str) -> Option<&WorkerSummary> {
        self.workers.get(task_type)?.get(worker)
    }

    /// Returns how `worker` did at all types together, decayed as of today.
    pub fn overall(&self, worker: &WorkerName) -> Weighted {
        let all = self.workers.values().filter_map(|of_type| of_type.get(worker));
        all.fold(Weighted::default(), |mut sum, summary| {
            sum += summary.decayed(self.today);
            sum
        })
    }

    /// Returns how often each worker tried, and what that was worth (see [`Reward`](super::Reward)), decayed as of today.
    pub fn outcome_counts(&self) -> OutcomeCounts {
        let mut outcome_counts = OutcomeCounts::default();
        for (task_type, workers) in &self.workers {
            for (worker, summary) in workers {
                let seen = summary.decayed(self.today);
                outcome_counts.add(worker, task_type, seen.n, seen.reward);
            }
        }
        outcome_counts
    }
}
