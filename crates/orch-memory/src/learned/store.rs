//! What a store must be able to do; everything else is the same for all of them.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use jiff::Timestamp;
use orch_core::learned::{History, PastRun, TaskStats, WorkerStats};
use orch_core::{ProjectId, RunId, Seq, WorkerName};

use super::{Cell, Evidence};
use crate::MemoryError;

/// Where learned memory is kept. Every method is one transaction, or one read.
#[async_trait]
pub(crate) trait Store: Send + Sync + 'static {
    /// Returns for each of `runs` the last event that was folded; those of which none was are left out.
    async fn watermarks(&self, runs: &[RunId]) -> Result<HashMap<RunId, Seq>, MemoryError>;

    /// Adds evidence to what is known, in one transaction with its watermarks. What does not begin where its run's watermark
    /// stands is left out; returns how many were not.
    async fn add(&self, evidence: Vec<Evidence>) -> Result<usize, MemoryError>;

    /// Returns the histories of all workers at all types.
    async fn histories(&self, project: &ProjectId) -> Result<Vec<(Cell, History)>, MemoryError>;

    /// Returns all that is known of workers at some types.
    async fn workers(
        &self,
        project: &ProjectId,
        task_types: &[String],
    ) -> Result<Vec<(Cell, WorkerStats)>, MemoryError>;

    /// Returns what is known of a type of task.
    async fn task(&self, project: &ProjectId, task_type: &str) -> Result<TaskStats, MemoryError>;

    /// Returns the newest texts of a scope that have one of `words`, at most `limit`, and how many texts the scope has.
    async fn matching(
        &self,
        scope: &Scope<'_>,
        words: &[String],
        limit: u32,
    ) -> Result<(Vec<Match>, usize), MemoryError>;

    /// Returns past runs, in any order; those that are gone are left out.
    async fn past_runs(&self, runs: &[RunId]) -> Result<Vec<PastRun>, MemoryError>;

    /// Changes the run's grade, and with it the sums; `false` when the run is not known.
    async fn feedback(&self, run: RunId, score: f64, note: &str) -> Result<bool, MemoryError>;

    /// Notes what only the supervisor of a run can say about it; `false` when the run is not known.
    async fn told(&self, run: RunId, told: &Told) -> Result<bool, MemoryError>;
}

/// Which texts are looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) project: &'a ProjectId,
    /// Whose subtasks; `None` means whole runs.
    pub(crate) agent: Option<&'a WorkerName>,
    pub(crate) task_type: &'a str,
}

impl Scope<'_> {
    /// The agent as rows have it.
    pub(crate) fn agent_name(&self) -> &str {
        self.agent.map_or("", WorkerName::as_str)
    }
}

/// A text of the past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Match {
    pub(crate) run: RunId,
    /// The subtask; empty for a whole run.
    pub(crate) step: String,
    pub(crate) text: String,
    pub(crate) ended_at: Timestamp,
    pub(crate) success: bool,
}

/// What only the supervisor of a run can say about it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub(crate) supervisor: String,
    pub(crate) worker_utilization: BTreeMap<WorkerName, f64>,
}
