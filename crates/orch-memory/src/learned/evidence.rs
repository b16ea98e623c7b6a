//! What the events of a run say, as sums to be added to what is known.

use std::collections::BTreeMap;

use orch_core::learned::{PastRun, PastStep, TaskStats, WorkerStats};
use orch_core::{ProjectId, RunId, Seq, WorkerName};

use super::Grades;

/// A worker at a type of subtask.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cell {
    pub(crate) task_type: String,
    pub(crate) worker: WorkerName,
}

/// What some events of a run say.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Evidence {
    pub(crate) run: RunId,
    pub(crate) project: ProjectId,
    /// The type of the run's task.
    pub(crate) task_type: String,
    /// The event after which it begins.
    pub(crate) after: Seq,
    /// The last event that is in it.
    pub(crate) upto: Seq,
    pub(crate) workers: BTreeMap<Cell, WorkerStats>,
    pub(crate) task: TaskStats,
    /// What was said and is not learned, with the reason.
    pub(crate) refused: Vec<String>,
    /// Whether ALMA is to be told of the run.
    pub(crate) is_to_be_told: bool,
    /// The whole run, when its end is among the events.
    pub(crate) ended: Option<Box<Ended>>,
}

/// A run that is over.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ended {
    /// What the supervisor keeps of it; `None` when it may not learn about such tasks.
    pub(crate) run: Option<(PastRun, Grades)>,
    /// What its workers keep of it: the subtasks about whose types they may learn.
    pub(crate) steps: Vec<PastStep>,
}
