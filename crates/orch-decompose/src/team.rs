//! The workers that may work on a task.

use std::sync::Arc;

use orch_core::{ComplexTask, Constraints, Standing, Subtask, Worker, fit, infer_task_type};

/// All workers, and the constraints of the task.
#[derive(Clone, Copy)]
pub(crate) struct Team<'a> {
    pub(crate) workers: &'a [Arc<dyn Worker>],
    constraints: Option<&'a Constraints>,
}

impl<'a> Team<'a> {
    pub(crate) fn of(workers: &'a [Arc<dyn Worker>], task: &'a ComplexTask) -> Self {
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
        let able = |worker: &Arc<dyn Worker>| fit(&**worker, subtask, &Standing::IDLE).score > 0.0;
        match (&subtask.constraints, self.constraints) {
            (Some(own), Some(outer)) => {
                let both = own.within(outer);
                self.workers.iter().any(|worker| both.admits(&**worker) && able(worker))
            }
            (Some(one), None) | (None, Some(one)) => {
                self.workers.iter().any(|worker| one.admits(&**worker) && able(worker))
            }
            (None, None) => self.workers.iter().any(able),
        }
    }
}

/// Returns the type of the task, inferred from its description when it has none.
pub(crate) fn type_of(task: &ComplexTask) -> &str {
    if task.task_type.is_empty() { infer_task_type(&task.description) } else { &task.task_type }
}
