//! Validation of plans: all issues at once.
use std::sync::Arc;

use crate::{DecompositionPlan, Worker};

/// What is wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanIssue {}

impl std::fmt::Display for PlanIssue {
    fn fmt(&self, _f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {}
    }
}

/// How large a plan may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanLimits {
    /// The most subtasks.
    pub max_subtasks: usize,
}

impl DecompositionPlan {
    /// Returns all issues that need no knowledge of workers.
    pub fn validate_shape(&self) -> Vec<PlanIssue> {
        Vec::new()
    }

    /// Returns all issues.
    pub fn validate(&self, _workers: &[Arc<dyn Worker>]) -> Vec<PlanIssue> {
        Vec::new()
    }
}
