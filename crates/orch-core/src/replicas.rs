//! Replicas: one subtask of a plan that several workers are to do, each by itself.

use std::collections::HashMap;
use std::sync::Arc;

use crate::{DecompositionPlan, Subtask, SubtaskId};

/// Returns the id of the replica with this number; the first is 1.
pub(crate) fn replica_id(id: &SubtaskId, number: u32) -> SubtaskId {
    SubtaskId::new(format!("{id}#{number}"))
}

impl DecompositionPlan {
    /// Returns the plan in which every subtask with `replicas: n` above 1 is `n` subtasks `id#1` to `id#n`, in its place and
    /// with one `group` (the given one, else `id`). Whatever depended on `id`, or tolerated its failure, now does so for all
    /// of them.
    ///
    /// Expects a plan without [issues](Self::validate); expanding twice changes nothing more.
    ///
    /// ```
    /// use orch_core::{DecompositionPlan, Subtask};
    ///
    /// let plan = DecompositionPlan::new([
    ///     Subtask::new("ask", "Is it so?", "review").with_replicas(2_u32),
    ///     Subtask::new("vote", "What do most say?", "vote").with_dependencies(["ask"]),
    /// ])
    /// .expand_replicas();
    /// assert_eq!(plan.subtasks[0].id, "ask#1");
    /// assert_eq!(plan.subtasks[2].dependencies, ["ask#1", "ask#2"]);
    /// ```
    #[must_use]
    pub fn expand_replicas(&self) -> Self {
        let replicas: HashMap<&str, Vec<SubtaskId>> = self
            .subtasks
            .iter()
            .filter(|s| s.replicas > 1)
            .map(|s| (s.id.as_str(), (1..=s.replicas).map(|n| replica_id(&s.id, n)).collect()))
            .collect();
        let mut expanded = self.clone();
        if replicas.is_empty() {
            return expanded;
        }
        expanded.subtasks = Vec::with_capacity(self.subtasks.len());
        for subtask in &self.subtasks {
            let subtask = rewired(subtask, &replicas);
            match replicas.get(subtask.id.as_str()) {
                Some(ids) => {
                    expanded.subtasks.extend(ids.iter().map(|id| Arc::new(replica(&subtask, id))));
                }
                None => expanded.subtasks.push(subtask),
            }
        }
        expanded
    }
}

fn replica(subtask: &Subtask, id: &SubtaskId) -> Subtask {
    let mut replica = subtask.clone();
    replica.group.get_or_insert_with(|| subtask.id.as_str().to_owned());
    replica.id = id.clone();
    replica.replicas = 1;
    replica
}

/// Replaces names of replicated subtasks by those of their replicas; shares the subtask when it has none.
fn rewired(subtask: &Arc<Subtask>, replicas: &HashMap<&str, Vec<SubtaskId>>) -> Arc<Subtask> {
    let names = |ids: &[SubtaskId]| ids.iter().any(|id| replicas.contains_key(id.as_str()));
    if !names(&subtask.dependencies) && !names(&subtask.tolerates) {
        return subtask.clone();
    }
    let replaced = |ids: &[SubtaskId]| -> Vec<SubtaskId> {
        ids.iter()
            .flat_map(|id| match replicas.get(id.as_str()) {
                Some(all) => all.clone(),
                None => vec![id.clone()],
            })
            .collect()
    };
    let mut rewired = Subtask::clone(subtask);
    rewired.dependencies = replaced(&subtask.dependencies);
    rewired.tolerates = replaced(&subtask.tolerates);
    Arc::new(rewired)
}
