//! What is remembered of runs, in the shapes of the stories.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::setters::setters;
use crate::{
    AggregationStrategy, DecompositionStrategy, JsonMap, ProjectId, SubtaskId, WorkerName,
};

/// What memory hands to a worker: short texts, most relevant first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct MemorySlice {
    /// Rules that proved good.
    pub heuristics: Vec<String>,
    /// What happened before.
    pub outcomes: Vec<String>,
    /// What the user prefers.
    pub preferences: Vec<String>,
    /// Facts.
    pub domain_knowledge: Vec<String>,
    /// What went wrong before, with its condition.
    pub anti_patterns: Vec<String>,
}

impl MemorySlice {
    /// Makes an empty slice.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the slice as Markdown for a prompt: a heading and a list for each kind of entry that there is; empty without any.
    ///
    /// ```
    /// let slice = orch_core::MemorySlice::new().with_preferences(vec!["Short answers.".to_owned()]);
    /// assert_eq!(slice.to_prompt(), "## Preferences\n- Short answers.\n");
    /// ```
    pub fn to_prompt(&self) -> String {
        let parts = [
            ("What has worked", &self.heuristics),
            ("What happened before", &self.outcomes),
            ("Preferences", &self.preferences),
            ("Known facts", &self.domain_knowledge),
            ("What went wrong before", &self.anti_patterns),
        ];
        let parts =
            parts.iter().filter(|(_, entries)| !entries.is_empty()).map(|(heading, entries)| {
                let lines: String = entries.iter().map(|entry| format!("- {entry}\n")).collect();
                format!("## {heading}\n{lines}")
            });
        parts.collect::<Vec<_>>().join("\n")
    }

    /// Returns about how many tokens [`to_prompt`](Self::to_prompt) has: a quarter of its characters, rounded up.
    pub fn estimated_tokens(&self) -> u32 {
        u32::try_from(self.to_prompt().chars().count().div_ceil(4)).unwrap_or(u32::MAX)
    }
}

setters! { MemorySlice {
    /// Sets the rules that proved good.
    with_heuristics => heuristics: Vec<String>,
    /// Sets what happened before.
    with_outcomes => outcomes: Vec<String>,
    /// Sets what the user prefers.
    with_preferences => preferences: Vec<String>,
    /// Sets the facts.
    with_domain_knowledge => domain_knowledge: Vec<String>,
    /// Sets what went wrong before.
    with_anti_patterns => anti_patterns: Vec<String>,
} }

/// Who did a subtask, and whether it went well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RoutingRecord {
    /// The subtask.
    pub subtask: SubtaskId,
    /// The worker.
    pub worker: WorkerName,
    /// Whether it succeeded.
    pub success: bool,
}

impl RoutingRecord {
    /// Makes a record.
    pub fn new(
        subtask: impl Into<SubtaskId>,
        worker: impl Into<WorkerName>,
        success: bool,
    ) -> Self {
        Self { subtask: subtask.into(), worker: worker.into(), success }
    }
}

/// How a run went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OrchestrationOutcome {
    /// The id.
    pub id: String,
    /// The supervisor's name.
    pub supervisor: String,
    /// The project.
    pub project_id: ProjectId,
    /// The task's type.
    pub task_type: String,
    /// The task in words.
    pub task_description: String,
    /// How it was split.
    pub decomposition_strategy: DecompositionStrategy,
    /// Into how many.
    pub subtask_count: u32,
    /// Who did what.
    pub routing_decisions: Vec<RoutingRecord>,
    /// How the results became one.
    pub aggregation_strategy: AggregationStrategy,
    /// Whether the run succeeded.
    pub overall_success: bool,
    /// Wall time, in milliseconds.
    pub total_duration_ms: u64,
    /// Per worker: busy time / (wall time x slots).
    pub worker_utilization: BTreeMap<WorkerName, f64>,
    /// At most three sentences, made in code.
    pub lessons_learned: Option<String>,
    /// When it ended.
    pub timestamp: Timestamp,
}

impl OrchestrationOutcome {
    /// Makes the outcome of a failed run without subtasks.
    pub fn new(
        id: impl Into<String>,
        supervisor: impl Into<String>,
        project_id: impl Into<ProjectId>,
        task_type: impl Into<String>,
        timestamp: Timestamp,
    ) -> Self {
        Self {
            id: id.into(),
            supervisor: supervisor.into(),
            project_id: project_id.into(),
            task_type: task_type.into(),
            task_description: String::new(),
            decomposition_strategy: DecompositionStrategy::Hybrid,
            subtask_count: 0,
            routing_decisions: Vec::new(),
            aggregation_strategy: AggregationStrategy::Merge,
            overall_success: false,
            total_duration_ms: 0,
            worker_utilization: BTreeMap::new(),
            lessons_learned: None,
            timestamp,
        }
    }
}

setters! { OrchestrationOutcome {
    /// Sets the supervisor's name.
    with_supervisor => supervisor: String,
    /// Sets the task in words.
    with_task_description => task_description: String,
    /// Sets how it was split.
    with_decomposition_strategy => decomposition_strategy: DecompositionStrategy,
    /// Sets into how many.
    with_subtask_count => subtask_count: u32,
    /// Sets who did what.
    with_routing_decisions => routing_decisions: Vec<RoutingRecord>,
    /// Sets how the results became one.
    with_aggregation_strategy => aggregation_strategy: AggregationStrategy,
    /// Sets whether the run succeeded.
    with_overall_success => overall_success: bool,
    /// Sets the wall time, in milliseconds.
    with_total_duration_ms => total_duration_ms: u64,
    /// Sets the share of time that each worker was busy.
    with_worker_utilization => worker_utilization: BTreeMap<WorkerName, f64>,
    /// Sets what was learned, in at most three sentences.
    with_lessons_learned => lessons_learned: Option<String>,
} }

/// A rule about who should do what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RoutingHeuristic {
    /// The id.
    pub id: String,
    /// When it holds, for example "When task involves API testing".
    pub condition: String,
    /// What to do, for example "Prefer Victor over Helena".
    pub routing_strategy: String,
    /// Workers, best first.
    pub worker_preference: Vec<WorkerName>,
    /// A lower bound of how likely it is right, 0 to 1.
    pub confidence: f64,
    /// How often it went well, 0 to 1.
    pub success_rate: f64,
    /// How often it was seen.
    pub occurrence_count: u64,
    /// When it was first made.
    pub created_at: Timestamp,
    /// Anything else.
    #[serde(default, skip_serializing_if = "JsonMap::is_empty")]
    pub metadata: JsonMap,
}

impl RoutingHeuristic {
    /// Makes a rule without evidence.
    pub fn new(
        id: impl Into<String>,
        condition: impl Into<String>,
        routing_strategy: impl Into<String>,
        created_at: Timestamp,
    ) -> Self {
        Self {
            id: id.into(),
            condition: condition.into(),
            routing_strategy: routing_strategy.into(),
            worker_preference: Vec::new(),
            confidence: 0.0,
            success_rate: 0.0,
            occurrence_count: 0,
            created_at,
            metadata: JsonMap::new(),
        }
    }
}

setters! { RoutingHeuristic {
    /// Sets the workers, best first.
    with_worker_preference => worker_preference: Vec<WorkerName>,
    /// Sets how likely it is right.
    with_confidence => confidence: f64,
    /// Sets how often it went well.
    with_success_rate => success_rate: f64,
    /// Sets how often it was seen.
    with_occurrence_count => occurrence_count: u64,
    /// Sets everything else.
    with_metadata => metadata: JsonMap,
} }

/// A rule about how tasks are split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DecompositionHeuristic {
    /// The id.
    pub id: String,
    /// Which tasks, for example "Multi-file refactoring".
    pub task_pattern: String,
    /// How they are split best.
    pub decomposition_strategy: DecompositionStrategy,
    /// Into how many.
    pub typical_subtask_count: u32,
    /// How many run at once on average.
    pub parallelism_factor: f64,
    /// A lower bound of how likely it is right, 0 to 1.
    pub confidence: f64,
    /// How often it went well, 0 to 1.
    pub success_rate: f64,
    /// When it was first made.
    pub created_at: Timestamp,
}

impl DecompositionHeuristic {
    /// Makes a rule without evidence.
    pub fn new(
        id: impl Into<String>,
        task_pattern: impl Into<String>,
        decomposition_strategy: DecompositionStrategy,
        created_at: Timestamp,
    ) -> Self {
        Self {
            id: id.into(),
            task_pattern: task_pattern.into(),
            decomposition_strategy,
            typical_subtask_count: 0,
            parallelism_factor: 1.0,
            confidence: 0.0,
            success_rate: 0.0,
            created_at,
        }
    }
}

setters! { DecompositionHeuristic {
    /// Sets into how many.
    with_typical_subtask_count => typical_subtask_count: u32,
    /// Sets how many run at once on average.
    with_parallelism_factor => parallelism_factor: f64,
    /// Sets how likely it is right.
    with_confidence => confidence: f64,
    /// Sets how often it went well.
    with_success_rate => success_rate: f64,
} }
