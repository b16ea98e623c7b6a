//! Lines of an export.

use orch_core::learned::{History, PastRun, TaskStats, WorkerStats};
use orch_core::{ProjectId, RunId, Seq, WorkerName};
use serde::{Deserialize, Serialize};

use super::{Grades, Ruling};

/// The version of the format.
pub(crate) const VERSION: u32 = 1;

/// One line of an export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Record {
    /// The first line.
    OrchMemory { version: u32 },
    /// How far a run was learned from.
    Folded { run: RunId, seq: Seq },
    /// What is known of a worker at a type of subtask.
    Worker { project: ProjectId, task_type: String, worker: WorkerName, stats: Box<WorkerStats> },
    /// What is known of a type of task.
    Task { project: ProjectId, task_type: String, stats: Box<TaskStats> },
    /// An example.
    Past(Box<Example>),
    /// What a person has decided about a rule.
    Ruling { project: ProjectId, ruling: Box<Ruling> },
    /// The last line: how many are before it, so that none can be missing unnoticed.
    End { lines: u64 },
}

impl Record {
    /// Returns the run that it says was learned from, and up to where.
    pub(crate) fn folded(&self) -> Option<(RunId, Seq)> {
        match self {
            Self::Folded { run, seq } => Some((*run, *seq)),
            Self::OrchMemory { .. }
            | Self::Worker { .. }
            | Self::Task { .. }
            | Self::Past(_)
            | Self::Ruling { .. }
            | Self::End { .. } => None,
        }
    }

    /// Tells whether there can be outcomes with its sums.
    pub(crate) fn is_possible(&self) -> bool {
        let is_possible =
            |history: &History| history.blocks().all(|(_, _, sums)| sums.are_possible());
        match self {
            Self::Worker { stats, .. } => is_possible(&stats.history),
            Self::Task { stats, .. } => {
                let plans = stats.plans.values().map(|plans| &plans.history);
                plans
                    .chain(stats.aggregation.values())
                    .chain(stats.interventions.values())
                    .all(is_possible)
            }
            Self::OrchMemory { .. }
            | Self::Folded { .. }
            | Self::Past(_)
            | Self::Ruling { .. }
            | Self::End { .. } => true,
        }
    }

    /// Tells whether it was learned from runs.
    pub(crate) fn is_learned(&self) -> bool {
        match self {
            Self::Worker { .. } | Self::Task { .. } | Self::Past(_) => true,
            Self::OrchMemory { .. }
            | Self::Folded { .. }
            | Self::Ruling { .. }
            | Self::End { .. } => false,
        }
    }
}

/// A run, or a subtask by who did it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Example {
    pub(crate) run: RunId,
    /// The subtask; empty for the run.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) step: String,
    pub(crate) project: ProjectId,
    /// The worker; empty for the run.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) agent: String,
    pub(crate) task_type: String,
    /// Microseconds since 1970.
    pub(crate) ended_at: i64,
    pub(crate) success: bool,
    pub(crate) text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) past: Option<PastRun>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) grades: Option<Grades>,
}
