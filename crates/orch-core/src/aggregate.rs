//! Aggregation: one output of many results.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::setters::setters;
use crate::words::words;
use crate::{
    AggregationSettings, BoxError, ComplexTask, Conflict, Subtask, SubtaskId, WorkerResult,
};

words! {
    /// How results become one.
    pub enum AggregationStrategy as "aggregation strategy" {
        /// All outputs, in plan order.
        Concatenate = "concatenate",
        /// One structure.
        Merge = "merge",
        /// What most say.
        Vote = "vote",
        /// One after the other into an accumulator.
        Reduce = "reduce",
        /// A function of the user.
        Custom = "custom",
        /// The one whose outputs people liked best in earlier runs; until they have said so often enough a `merge` that keeps the outputs of
        /// the items of a list apart.
        Auto = "auto",
    }
}

impl AggregationStrategy {
    /// Returns what is done; `liked` stands for [`Auto`](Self::Auto).
    pub fn resolved(self, liked: Option<Self>) -> Self {
        match self {
            Self::Auto => liked.filter(|liked| *liked != Self::Auto).unwrap_or(Self::Merge),
            Self::Concatenate | Self::Merge | Self::Vote | Self::Reduce | Self::Custom => self,
        }
    }
}

/// What an aggregator gets.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct AggregationInput<'a> {
    /// The task.
    pub task: &'a ComplexTask,
    /// The plan's subtasks, in plan order.
    pub subtasks: &'a [Arc<Subtask>],
    /// The accepted results, in plan order.
    pub results: &'a [Arc<WorkerResult>],
    /// Subtasks that ended without an accepted result, in plan order.
    pub failed: &'a [SubtaskId],
    /// How the run wants it done.
    pub settings: &'a AggregationSettings,
}

impl<'a> AggregationInput<'a> {
    /// Makes an input in which nothing failed.
    pub fn new(
        task: &'a ComplexTask,
        subtasks: &'a [Arc<Subtask>],
        results: &'a [Arc<WorkerResult>],
        settings: &'a AggregationSettings,
    ) -> Self {
        Self { task, subtasks, results, failed: &[], settings }
    }

    /// Sets the subtasks that ended without an accepted result.
    #[must_use]
    pub fn with_failed(mut self, failed: &'a [SubtaskId]) -> Self {
        self.failed = failed;
        self
    }
}

/// The one output, and how it came about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AggregationResult {
    /// The output.
    pub output: Value,
    /// The results that it was made of, in plan order.
    pub source_results: Vec<Arc<WorkerResult>>,
    /// Subtasks that contributed nothing.
    pub failed_subtasks: Vec<SubtaskId>,
    /// Conflicts and how they were resolved; in JSON a sentence each.
    #[serde(with = "crate::conflict::sentences")]
    pub conflicts_resolved: Vec<Conflict>,
    /// How sure the aggregator is, 0 to 1.
    pub confidence: f64,
}

impl AggregationResult {
    /// Makes a result of full confidence without conflicts.
    pub fn new(output: Value) -> Self {
        Self {
            output,
            source_results: Vec::new(),
            failed_subtasks: Vec::new(),
            conflicts_resolved: Vec::new(),
            confidence: 1.0,
        }
    }
}

setters! { AggregationResult {
    /// Sets the results that it was made of.
    with_source_results => source_results: Vec<Arc<WorkerResult>>,
    /// Sets the subtasks that contributed nothing.
    with_failed_subtasks => failed_subtasks: Vec<SubtaskId>,
    /// Sets the conflicts and how they were resolved.
    with_conflicts_resolved => conflicts_resolved: Vec<Conflict>,
    /// Sets how sure the aggregator is, 0 to 1.
    with_confidence => confidence: f64,
} }

/// Makes one output of many results. Pure: after a crash it runs again.
pub trait Aggregator: Send + Sync + 'static {
    /// Aggregates.
    ///
    /// # Errors
    /// When no output can be made; the run then ends as failed, with all results kept.
    fn aggregate(&self, input: &AggregationInput<'_>) -> Result<AggregationResult, AggregateError>;
}

/// Why there is no output.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AggregateError {
    /// The aggregator does not do this strategy.
    #[error("aggregation strategy `{strategy}` is not available here; available: {}", .available.join(", "))]
    Unsupported {
        /// The strategy that was asked for.
        strategy: AggregationStrategy,
        /// Those that would work.
        available: Vec<&'static str>,
    },
    /// The outputs cannot be combined.
    #[error("the output of subtask `{subtask}` cannot be combined: {reason}")]
    Incompatible {
        /// The subtask whose output does not fit.
        subtask: SubtaskId,
        /// Why not.
        reason: String,
    },
    /// A function of the user failed.
    #[error("the aggregation function failed")]
    Failed(#[source] BoxError),
}
