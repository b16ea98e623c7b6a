//! What a store must be able to do; everything else is the same for all of them.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use jiff::Timestamp;
use orch_core::learned::{History, PastRun, TaskStats, WorkerStats};
use orch_core::{ProjectId, RunId, Seq, WorkerName};

use super::{Cell, Evidence, Record, Ruling};
use crate::{Forget, Forgotten, MemoryError};

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

    /// Returns all that is known of workers, at some types or at all.
    async fn workers(
        &self,
        project: &ProjectId,
        task_types: Option<&[String]>,
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

    /// Returns what is known of all types of tasks.
    async fn tasks(&self, project: &ProjectId) -> Result<Vec<(String, TaskStats)>, MemoryError>;

    /// Returns what was decided about rules.
    async fn rulings(&self, project: &ProjectId) -> Result<Vec<Ruling>, MemoryError>;

    /// Keeps a decision, or takes the decision about the rule with this id back.
    async fn rule(
        &self,
        project: &ProjectId,
        id: &str,
        ruling: Option<&Ruling>,
    ) -> Result<(), MemoryError>;

    /// Returns how many examples of a project there are, and from how many runs of all projects was learned.
    async fn counts(&self, project: &ProjectId) -> Result<(u64, u64), MemoryError>;

    /// Gives everything to `sink`, as it is at one moment.
    async fn export(&self, sink: &mut Sink<'_>) -> Result<(), MemoryError>;

    /// Adds an export of which no run is known yet.
    async fn import(&self, records: Vec<Record>) -> Result<(), MemoryError>;

    /// Deletes what is chosen, unless `dry`; returns what it is.
    async fn forget(&self, what: &Forget, dry: bool) -> Result<Forgotten, MemoryError>;

    /// Gives room back that is not needed any more.
    async fn vacuum(&self) -> Result<(), MemoryError>;
}

/// Takes the records of an export.
pub(crate) type Sink<'a> = dyn FnMut(&Record) -> Result<(), MemoryError> + Send + 'a;

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
