//! Runs of the past, as examples.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{OrchestrationOutcome, PlanSource, SubtaskId, WorkerName};

/// A run of the past: what was asked, how it was split, who did what, how it went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PastRun {
    /// The run as the stories tell it.
    pub outcome: OrchestrationOutcome,
    /// What made the plan.
    pub source: PlanSource,
    /// The subtasks, in plan order.
    pub steps: Vec<PastStep>,
    /// What a person thought of the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Feedback>,
}

impl PastRun {
    /// Makes a past run without steps.
    pub fn new(outcome: OrchestrationOutcome, source: PlanSource) -> Self {
        Self { outcome, source, steps: Vec::new(), feedback: None }
    }

    /// Sets the steps.
    #[must_use]
    pub fn with_steps(mut self, steps: Vec<PastStep>) -> Self {
        self.steps = steps;
        self
    }
}

/// A subtask of the past.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PastStep {
    /// The subtask.
    pub id: SubtaskId,
    /// Its type.
    pub task_type: String,
    /// What was to be done.
    pub description: String,
    /// What it depended on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<SubtaskId>,
    /// Who did it, or tried it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<WorkerName>,
    /// Whether its result was accepted.
    pub success: bool,
    /// How often it was tried and failed.
    #[serde(default)]
    pub failures: u32,
    /// How long the accepted attempt took, in milliseconds; 0 without one.
    #[serde(default)]
    pub duration_ms: u64,
    /// When its last attempt was finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

impl PastStep {
    /// Makes a step that was never tried.
    pub fn new(
        id: impl Into<SubtaskId>,
        task_type: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            task_type: task_type.into(),
            description: description.into(),
            dependencies: Vec::new(),
            worker: None,
            success: false,
            failures: 0,
            duration_ms: 0,
            ended_at: None,
        }
    }
}

/// What a person thought of the output of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Feedback {
    /// From 0 (useless) to 1 (perfect).
    pub score: f64,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}
