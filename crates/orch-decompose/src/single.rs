//! The task as one subtask.

use orch_core::{ComplexTask, PlanSource, Subtask};

use crate::clauses::clauses;
use crate::draft::{Draft, NotApplicable};
use crate::eligible_workers::{EligibleWorkers, type_of};

/// How sure one is that a task needs no splitting when its description has one clause, and when it has several.
const ONE_CLAUSE: f64 = 0.8;
const SEVERAL: f64 = 0.4;

/// Drafts a plan of one subtask, for a worker that handles the type of the task.
pub(crate) fn draft(
    task: &ComplexTask,
    eligible: EligibleWorkers<'_>,
) -> Result<Draft, NotApplicable> {
    let subtask = Subtask::new("task", &*task.description, type_of(task));
    if !eligible.serves(&subtask) {
        return Err(NotApplicable::Unserved { task_type: subtask.task_type });
    }
    let confidence = if clauses(&task.description).len() > 1 { SEVERAL } else { ONE_CLAUSE };
    Ok(Draft { subtasks: vec![subtask], source: PlanSource::Single, confidence, notes: Vec::new() })
}
