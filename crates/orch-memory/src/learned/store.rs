//! What a store must be able to do; everything else is the same for all of them.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;
use orch_core::learned::{PastRun, WorkerStats};
use orch_core::{ProjectId, RunId, Seq, WorkerName};

use super::{Cell, Evidence, Known, Record, Ruling};
use crate::{Forget, Forgotten, Imported, MemoryError};

/// Where learned memory is kept. Every method is one transaction, or one read.
#[async_trait]
pub(crate) trait Store: Send + Sync + 'static {
    /// Returns for each of `runs` the last event that was folded; those of which none was are left out.
    async fn watermarks(&self, runs: &[RunId]) -> Result<HashMap<RunId, Seq>, MemoryError>;

    /// Adds evidence to what is known, in one transaction with its watermarks and with marks of what ALMA is to be told. What does not begin where its run's watermark
    /// stands is left out; returns how many were not.
    async fn add(&self, evidence: Vec<Evidence>) -> Result<usize, MemoryError>;

    /// Returns what is known of a project at one moment: of all workers, of tasks of one type or of all, and what was decided.
    async fn known(
        &self,
        project: &ProjectId,
        task_type: Option<&str>,
    ) -> Result<Known, MemoryError>;

    /// Returns the sums of all workers at all types, in the order of types and names.
    async fn workers(&self, project: &ProjectId) -> Result<Vec<(Cell, WorkerStats)>, MemoryError>;

    /// Returns the sums of a worker at a type of subtask.
    async fn worker(
        &self,
        project: &ProjectId,
        cell: &Cell,
    ) -> Result<Option<WorkerStats>, MemoryError>;

    /// Returns the texts of a scope, in any order: no more than are kept, so few that reading them is searching them.
    async fn texts(&self, scope: &Scope<'_>) -> Result<Vec<Match>, MemoryError>;

    /// Returns past runs, in any order; those that are gone are left out.
    async fn past_runs(&self, runs: &[RunId]) -> Result<Vec<PastRun>, MemoryError>;

    /// Returns runs of which there are texts, by how their ids begin.
    async fn runs(
        &self,
        project: &ProjectId,
        prefix: &str,
    ) -> Result<Vec<(RunId, String)>, MemoryError>;

    /// Changes the run's grade, and with it the sums; `false` when the run is not known.
    async fn feedback(&self, run: RunId, score: f64, note: &str) -> Result<bool, MemoryError>;

    /// Returns the runs that ALMA is to be told of.
    #[cfg(feature = "alma")]
    async fn untold(&self, project: &ProjectId) -> Result<Vec<RunId>, MemoryError>;

    /// Notes that ALMA was told of a run.
    #[cfg(feature = "alma")]
    async fn told(&self, project: &ProjectId, run: RunId) -> Result<(), MemoryError>;

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

    /// Adds an export of which no run is known yet; of one whose runs are all known, only what people have said. Refuses others.
    async fn import(&self, records: Vec<Record>) -> Result<Imported, MemoryError>;

    /// Deletes what is chosen, unless `dry`; returns what it is.
    async fn forget(&self, what: &Forget, dry: bool) -> Result<Forgotten, MemoryError>;

    /// Gives room back that is not needed any more.
    async fn vacuum(&self) -> Result<(), MemoryError>;

    /// Closes all connections, after what goes on; the one that writes last, as it tidies up a SQLite file.
    async fn close(&self);
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
