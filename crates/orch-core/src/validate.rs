//! Validation of plans: all issues at once, in time linear in the plan.
//!
//! `shape` has what can be said about a plan alone, `service` what depends on the workers, `issue` the answers.

mod issue;
mod service;
mod shape;

use std::sync::Arc;

use crate::{Constraints, DecompositionPlan, RunSettings, Worker};

pub use issue::{NameFault, PlanIssue, Unserved};

/// The most characters that the id of a subtask, or the name of a lock or an artifact may have.
pub const MAX_NAME_LENGTH: usize = 128;

/// How large a plan may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanLimits {
    /// The most subtasks; replicas count.
    pub max_subtasks: usize,
}

impl PlanLimits {
    /// Makes limits.
    pub fn new(max_subtasks: usize) -> Self {
        Self { max_subtasks }
    }
}

impl Default for PlanLimits {
    fn default() -> Self {
        Self::from(&RunSettings::default())
    }
}

impl From<&RunSettings> for PlanLimits {
    fn from(settings: &RunSettings) -> Self {
        Self::new(usize::try_from(settings.max_subtasks).unwrap_or(usize::MAX))
    }
}

impl DecompositionPlan {
    /// Returns all issues that need no knowledge of workers or limits; none means that the plan is a proper graph.
    pub fn validate_shape(&self) -> Vec<PlanIssue> {
        shape::issues(self)
    }

    /// Returns all issues, within the default limits and without constraints of the task.
    ///
    /// ```
    /// use orch_core::{DecompositionPlan, PlanIssue, Subtask};
    ///
    /// let plan = DecompositionPlan::new([
    ///     Subtask::new("fetch", "Fetch it", "web"),
    ///     Subtask::new("read", "Read it", "text").with_dependencies(["fetsh"]),
    /// ]);
    /// let issues = plan.validate(&[]);
    /// assert!(matches!(issues[..], [PlanIssue::UnknownDependency { .. }, PlanIssue::NoWorkers]));
    /// assert!(issues[0].to_string().contains("did you mean `fetch`?"));
    /// ```
    pub fn validate(&self, workers: &[Arc<dyn Worker>]) -> Vec<PlanIssue> {
        self.validate_within(workers, PlanLimits::default(), None)
    }

    /// Returns all issues, within `limits` and the constraints of the task.
    ///
    /// Whether a worker can do a subtask is asked of the worker (see [`fit`](crate::fit)), idle and without history.
    pub fn validate_within(
        &self,
        workers: &[Arc<dyn Worker>],
        limits: PlanLimits,
        task: Option<&Constraints>,
    ) -> Vec<PlanIssue> {
        let mut issues = Vec::new();
        let count = self.subtasks.iter().map(|s| usize::try_from(s.replicas).unwrap_or(usize::MAX));
        let count = count.fold(0, usize::saturating_add);
        if count > limits.max_subtasks {
            issues.push(PlanIssue::TooMany { count, max: limits.max_subtasks });
        }
        issues.extend(shape::issues(self));
        issues.extend(service::issues(self, workers, task));
        issues
    }
}
