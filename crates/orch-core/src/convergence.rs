//! The course of a subtask: what may go wrong with it short of failure, and what the engine can do about that.

use serde::{Deserialize, Serialize};

use crate::words::words;
use crate::{Subtask, SubtaskId};

words! {
    /// What is wrong with the course of a subtask.
    pub enum IssueKind as "issue kind" {
        /// The same again and again.
        Loop = "loop",
        /// Results that are not good enough.
        Quality = "quality",
        /// No progress.
        Stall = "stall",
    }
}

/// Something that a convergence check found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Issue {
    /// What kind of thing.
    pub kind: IssueKind,
    /// The subtask.
    pub subtask_id: SubtaskId,
    /// How bad, 0 to 1.
    pub severity: f64,
    /// What was seen, in a sentence.
    pub reason: String,
}

impl Issue {
    /// Makes an issue.
    pub fn new(
        kind: IssueKind,
        subtask_id: SubtaskId,
        severity: f64,
        reason: impl Into<String>,
    ) -> Self {
        Self { kind, subtask_id, severity, reason: reason.into() }
    }
}

words! {
    /// What can be done about an issue.
    pub enum InterventionType as "intervention" {
        /// Suggest another approach.
        BreakLoop = "break_loop",
        /// Hand it to another worker.
        Escalate = "escalate",
        /// Start over with a clear context.
        ResetContext = "reset_context",
        /// Ask a human.
        HumanReview = "human_review",
        /// Wait, then try again.
        RetryWithBackoff = "retry_with_backoff",
    }
}

/// A recommended or made intervention.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Intervention {
    /// What to do.
    #[serde(rename = "type")]
    pub intervention_type: InterventionType,
    /// Why, in a sentence.
    pub reason: String,
    /// Guidance for the next attempt.
    pub suggested_action: String,
}

impl Intervention {
    /// Makes an intervention.
    pub fn new(
        intervention_type: InterventionType,
        reason: impl Into<String>,
        suggested_action: impl Into<String>,
    ) -> Self {
        Self { intervention_type, reason: reason.into(), suggested_action: suggested_action.into() }
    }
}

/// Recommends interventions. Synchronous and pure.
pub trait InterventionEngine: Send + Sync + 'static {
    /// Recommends what to do about `issue`, or nothing.
    fn recommend(&self, issue: &Issue, subtask: &Subtask) -> Option<Intervention>;
}
