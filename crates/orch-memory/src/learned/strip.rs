//! Takes out of a past run what is to be forgotten.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::learned::{PastRun, lessons};
use orch_core::{SubtaskId, WorkerName};

use super::Grades;
use crate::Forget;

impl Forget {
    /// Tells whether what a worker has done at a type is chosen. A type that is not known any more may be the one.
    fn chooses(&self, worker: Option<&WorkerName>, task_type: Option<&str>) -> bool {
        let same_type = |chosen: &String| task_type.is_none_or(|task_type| task_type == chosen);
        self.worker.as_ref().is_none_or(|chosen| worker == Some(chosen))
            && self.task_type.as_ref().is_none_or(same_type)
    }
}

/// Takes the subtasks that are chosen out of a run, with what else says something about them: who tried them, how busy that kept
/// whom, the sentences about the run; returns whether there were any.
pub(crate) fn strip(past: &mut PastRun, what: &Forget) -> bool {
    let before = past.clone();
    let types: BTreeMap<&SubtaskId, &str> =
        before.steps.iter().map(|step| (&step.id, step.task_type.as_str())).collect();
    past.steps.retain(|step| !what.chooses(step.worker.as_ref(), Some(&step.task_type)));
    let kept: BTreeSet<SubtaskId> = past.steps.iter().map(|step| step.id.clone()).collect();
    let is_gone = |id: &SubtaskId| types.contains_key(id) && !kept.contains(id);
    for step in &mut past.steps {
        step.dependencies.retain(|id| !is_gone(id));
    }
    let outcome = &mut past.outcome;
    outcome.routing_decisions.retain(|record| {
        let task_type = types.get(&record.subtask).copied();
        !is_gone(&record.subtask) && !what.chooses(Some(&record.worker), task_type)
    });
    let routed = outcome.routing_decisions.iter().map(|record| &record.worker);
    let busy: BTreeSet<&WorkerName> =
        past.steps.iter().filter_map(|step| step.worker.as_ref()).chain(routed).collect();
    outcome
        .worker_utilization
        .retain(|worker, _| busy.contains(worker) || !what.chooses(Some(worker), None));
    let is_changed = *past != before;
    if is_changed {
        past.outcome.lessons_learned = lessons(&past.steps);
    }
    is_changed
}

impl Grades {
    /// Takes out what was added to the sums that are chosen: with them it is forgotten, too. Returns whether there was any.
    pub(crate) fn strip(&mut self, what: &Forget) -> bool {
        let before = self.accepted.len();
        self.accepted
            .retain(|(task_type, worker, ..)| !what.chooses(Some(worker), Some(task_type)));
        self.accepted.len() < before
    }
}
