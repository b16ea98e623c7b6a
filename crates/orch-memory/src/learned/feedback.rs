//! What changes when a person grades a run.

use std::collections::BTreeMap;

use orch_core::learned::{Day, Feedback, Moments, PastRun, Reward, TaskStats, WorkerStats};
use serde::{Deserialize, Serialize};

use super::Cell;

/// From where a score counts as a success.
const GOOD: f64 = 0.5;

/// What a run has put into the sums that a person's opinion changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Grades {
    /// The day on which it ended.
    pub(crate) day: Day,
    /// Whether it counts among the runs of its plan's source: not when it was cancelled.
    pub(crate) counted: bool,
    /// The share of its subtasks that were done.
    pub(crate) share: f64,
    /// Accepted attempts: type, worker, day, how many.
    pub(crate) accepted: Vec<(String, orch_core::WorkerName, Day, u32)>,
}

/// What must be added to the sums.
#[derive(Debug, Default)]
pub(crate) struct Regrade {
    pub(crate) workers: BTreeMap<Cell, WorkerStats>,
    pub(crate) task: TaskStats,
}

impl Regrade {
    /// Returns what must be added when `past` gets the score `to`; a score that it had before is taken back.
    ///
    /// Accepted attempts are worth the score instead of 1, the run is worth it instead of the share of its subtasks that
    /// were done, and the way in which results became one is remembered with it.
    pub(crate) fn of(past: &PastRun, grades: &Grades, to: f64) -> Self {
        let from = past.feedback.as_ref().map(|feedback| feedback.score);
        let mut regrade = Self::default();
        let attempt =
            |score: Option<f64>| Moments::one(true, score.map_or(Reward::FULL, Reward::new));
        for (task_type, worker, day, count) in &grades.accepted {
            let cell = Cell { task_type: task_type.clone(), worker: worker.clone() };
            let delta = (attempt(Some(to)) - attempt(from)) * *count;
            regrade.workers.entry(cell).or_default().history.record(*day, delta);
        }
        if grades.counted {
            let success = past.outcome.overall_success;
            let run = |score: Option<f64>| {
                Moments::one(success, Reward::new(score.unwrap_or(grades.share)))
            };
            let plans = regrade.task.plans.entry(past.source).or_default();
            plans.history.record(grades.day, run(Some(to)) - run(from));
        }
        let opinion = |score: f64| Moments::one(score >= GOOD, Reward::new(score));
        let before = from.map(opinion).unwrap_or_default();
        let strategy = past.outcome.aggregation_strategy;
        let history = regrade.task.aggregation.entry(strategy).or_default();
        history.record(grades.day, opinion(to) - before);
        regrade
    }

    /// Notes the score with the run.
    pub(crate) fn note(past: &mut PastRun, score: f64, note: &str) {
        past.feedback = Some(Feedback { score, note: note.to_owned() });
    }
}
