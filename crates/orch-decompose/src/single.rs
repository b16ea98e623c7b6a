//! The task as one subtask.

use orch_core::{ComplexTask, PlanSource, Subtask};

use crate::clauses::clauses;
use crate::draft::{Declined, Draft};
use crate::team::{Team, type_of};

/// How sure one is that a task needs no splitting when its description has one clause, and when it has several.
const ONE_CLAUSE: f64 = 0.8;
const SEVERAL: f64 = 0.4;

/// Drafts a plan of one subtask, for a worker that handles the type of the task.
pub(crate) fn draft(task: &ComplexTask, team: Team<'_>) -> Result<Draft, Declined> {
    let subtask = Subtask::new("task", &*task.description, type_of(task));
    if !team.serves(&subtask) {
        return Err(Declined::Unserved { task_type: subtask.task_type });
    }
    let confidence = if clauses(&task.description).len() > 1 { SEVERAL } else { ONE_CLAUSE };
    Ok(Draft { subtasks: vec![subtask], source: PlanSource::Single, confidence, notes: Vec::new() })
}
