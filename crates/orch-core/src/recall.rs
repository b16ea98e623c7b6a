//! What an engine asks of memory, and what it tells it.

use std::sync::Arc;

use async_trait::async_trait;

use crate::learned::Learned;
use crate::{
    BoxError, ComplexTask, MemorySlice, OrchestrationOutcome, OutcomeCounts, ProjectId, RunId,
    Subtask, WorkerName,
};

/// What policies may know of earlier runs: an immutable view, cheap to clone.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct MemorySnapshot {
    /// How each worker did at each type of subtask, in counts.
    pub outcome_counts: Arc<OutcomeCounts>,
    /// All that is known.
    pub learned: Arc<Learned>,
}

impl MemorySnapshot {
    /// Makes a view of counts alone.
    pub fn new(outcome_counts: impl Into<Arc<OutcomeCounts>>) -> Self {
        Self { outcome_counts: outcome_counts.into(), learned: Arc::default() }
    }
}

impl From<Learned> for MemorySnapshot {
    fn from(learned: Learned) -> Self {
        Self { outcome_counts: learned.outcome_counts().into(), learned: learned.into() }
    }
}

/// Remembers runs. An engine works without one, and never fails because of one: an error here is logged, and the run goes on.
#[async_trait]
pub trait Memory: Send + Sync + 'static {
    /// Returns what is known that may help with `task`; a run asks once, before its first subtask. A run whose plan was given asks
    /// with an empty description: it wants no past runs that resemble it.
    ///
    /// # Errors
    /// When the memory cannot be read.
    async fn snapshot(
        &self,
        project: &ProjectId,
        task: &ComplexTask,
    ) -> Result<MemorySnapshot, BoxError>;

    /// Returns what `worker` may read that helps with `subtask`, in at most `max_tokens` tokens.
    ///
    /// # Errors
    /// When the memory cannot be read, or the worker's scope forbids it.
    async fn slice(
        &self,
        project: &ProjectId,
        worker: &WorkerName,
        subtask: &Subtask,
        max_tokens: u32,
    ) -> Result<MemorySlice, BoxError>;

    /// Takes note of how a run went. May be told twice after a crash; `outcome.id` is then the same.
    ///
    /// # Errors
    /// When the memory cannot be written.
    async fn record_outcome(&self, outcome: &OrchestrationOutcome) -> Result<(), BoxError>;

    /// Takes note of what a person thinks of a run's output: `score` from 0 (useless) to 1 (perfect).
    ///
    /// # Errors
    /// When the memory cannot be written, or does not know the run.
    async fn feedback(&self, run: RunId, score: f64, note: &str) -> Result<(), BoxError>;
}
