//! The workers that may work on a task.

use std::sync::Arc;

use orch_core::{ComplexTask, Constraints, Subtask, Worker, could_do, infer_task_type};

/// All workers, and the constraints of the task.
#[derive(Clone, Copy)]
pub(crate) struct EligibleWorkers<'a> {
    pub(crate) workers: &'a [Arc<dyn Worker>],
    constraints: Option<&'a Constraints>,
}

impl<'a> EligibleWorkers<'a> {
    pub(crate) fn new(workers: &'a [Arc<dyn Worker>], task: &'a ComplexTask) -> Self {
        Self { workers, constraints: task.constraints.as_ref() }
    }

    /// Returns the workers that the task's constraints admit.
    pub(crate) fn admitted(self) -> impl Iterator<Item = &'a dyn Worker> {
        let admitted = move |worker: &&'a dyn Worker| {
            self.constraints.is_none_or(|constraints| constraints.admits(*worker))
        };
        self.workers.iter().map(|worker| &**worker).filter(admitted)
    }

    /// Tells whether somebody may and can do `subtask`.
    pub(crate) fn serves(self, subtask: &Subtask) -> bool {
        let able = |constraints: Option<&Constraints>| {
            self.workers.iter().any(|worker| could_do(&**worker, subtask, constraints))
        };
        match (&subtask.constraints, self.constraints) {
            (Some(own), Some(outer)) => able(Some(&own.within(outer))),
            (Some(one), None) | (None, Some(one)) => able(Some(one)),
            (None, None) => able(None),
        }
    }
}

/// Returns the type of the task, inferred from its description when it has none.
pub(crate) fn type_of(task: &ComplexTask) -> &str {
    if task.task_type.is_empty() { infer_task_type(&task.description) } else { &task.task_type }
}
