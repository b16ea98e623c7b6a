//! What a strategy answers: a draft of a plan, or why it makes none.

use orch_core::{ComplexTask, DecompositionPlan, PlanSource, Subtask};
use thiserror::Error;

/// A plan as a strategy makes it, before it is validated.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) subtasks: Vec<Subtask>,
    pub(crate) source: PlanSource,
    pub(crate) confidence: f64,
    pub(crate) notes: Vec<String>,
}

impl Draft {
    pub(crate) fn into_plan(self, task: &ComplexTask) -> DecompositionPlan {
        let subtasks = self.subtasks.into_iter().map(|s| s.with_parent_task_id(task.id.clone()));
        let plan = DecompositionPlan::new(subtasks)
            .with_source(self.source)
            .with_confidence(self.confidence)
            .with_notes(self.notes);
        let parallelism = plan.parallelism();
        plan.with_parallelism_factor(parallelism)
    }
}

/// Why a strategy makes no plan of a task. With `hybrid` the next one is tried; otherwise this is the source of
/// [`DecomposeError::Failed`](orch_core::DecomposeError::Failed).
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum NotApplicable {
    /// The task's context has no list to split by: add one, or name its key.
    #[error("the context has no list under {}", .keys.join(", "))]
    NoItems {
        /// The keys that were looked at.
        keys: Vec<String>,
    },
    /// There would be more subtasks than allowed.
    #[error("{what} would make {count} subtasks, and {max} are allowed")]
    TooMany {
        /// What the task would be split by.
        what: String,
        /// How many subtasks that would make.
        count: usize,
        /// How many are allowed.
        max: usize,
    },
    /// No worker that may do it handles the type of the subtasks.
    #[error("no worker that may do it handles the type `{task_type}`")]
    Unserved {
        /// The type.
        task_type: String,
    },
    /// No part of the description resembles what a worker can do.
    #[error("no part of the description resembles a capability of a worker that may do it")]
    NoMatch,
}
