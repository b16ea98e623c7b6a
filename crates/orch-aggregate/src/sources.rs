//! What an output is made of, and what is missing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use orch_core::{AggregationInput, Subtask, SubtaskId, WorkerResult};
use thiserror::Error;

/// Subtasks failed, and the settings allow no partial output. All accepted results are kept.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("allow_partial is off and there is no result of {}", list(.failed))]
#[non_exhaustive]
pub struct Incomplete {
    /// The subtasks without a result, in plan order, but for those that the run does not count.
    pub failed: Vec<SubtaskId>,
}

fn list(ids: &[SubtaskId]) -> String {
    ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
}

/// The accepted results and the subtasks that have none, both in plan order.
pub(crate) struct Sources<'a> {
    pub(crate) results: Vec<Arc<WorkerResult>>,
    pub(crate) failed: Vec<SubtaskId>,
    /// Subtasks with `required: false`: the run does not count them.
    uncounted: HashSet<&'a SubtaskId>,
}

impl<'a> Sources<'a> {
    /// Sorts out what failed, also among the results.
    pub(crate) fn new(input: &AggregationInput<'a>) -> Self {
        let (results, unsuccessful): (Vec<_>, Vec<_>) =
            input.results.iter().cloned().partition(|result| result.success);
        let mut failed = input.failed.to_vec();
        failed.extend(unsuccessful.iter().map(|result| result.subtask_id.clone()));
        sort_by_plan(&mut failed, input.subtasks);
        let uncounted = input.subtasks.iter().filter(|subtask| subtask.required == Some(false));
        Self { results, failed, uncounted: uncounted.map(|subtask| &subtask.id).collect() }
    }

    /// Checks that nothing that counts is missing.
    pub(crate) fn require_all(&self) -> Result<(), Incomplete> {
        let counted = self.failed.iter().filter(|id| self.counts(id));
        let failed: Vec<_> = counted.cloned().collect();
        if failed.is_empty() { Ok(()) } else { Err(Incomplete { failed }) }
    }

    /// Returns the share of the subtasks that count and have a result, 0 to 1; 1 when none counts.
    pub(crate) fn success_ratio(&self) -> f64 {
        let done = self.results.iter().filter(|result| self.counts(&result.subtask_id)).count();
        let failed = self.failed.iter().filter(|id| self.counts(id)).count();
        if done + failed == 0 { 1.0 } else { done as f64 / (done + failed) as f64 }
    }

    fn counts(&self, id: &SubtaskId) -> bool {
        !self.uncounted.contains(id)
    }
}

fn sort_by_plan(ids: &mut Vec<SubtaskId>, subtasks: &[Arc<Subtask>]) {
    let positions: HashMap<_, _> =
        subtasks.iter().enumerate().map(|(position, subtask)| (&subtask.id, position)).collect();
    ids.sort_by_key(|id| positions.get(id).copied().unwrap_or(usize::MAX));
    ids.dedup();
}
