//! The journal: the one truth about runs.
//!
//! Appends are atomic, at an expected sequence number, and checked against the owner's epoch; order is per run. The module
//! has the contract, and [`MemoryJournal`], which keeps it in memory. `orch_core::testing` has the suite that every
//! implementation passes.

mod memory;
mod store;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::setters::setters;
use crate::{
    BlobRef, BoxError, Counts, EndStatus, Epoch, Event, Fence, LockName, OwnerId, ProjectId,
    RequestKey, RunId, RunPhase, Seq, TaskId,
};

pub use memory::MemoryJournal;
pub use store::MemoryStore;

/// An event with its place and time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// The place in the run.
    pub seq: Seq,
    /// When it happened: wall time, never going back within a run.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

/// What never changes about a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunHead {
    /// The run.
    pub run: RunId,
    /// The project.
    pub project: ProjectId,
    /// The task's id.
    pub task_id: TaskId,
    /// The task's type.
    pub task_type: String,
    /// The task in words.
    pub description: String,
    /// The submitter's name for the request, unique in the project.
    pub request_key: Option<RequestKey>,
    /// When it was submitted.
    pub created_at: Timestamp,
}

impl RunHead {
    /// Makes the head of a run without a request key.
    pub fn new(
        run: RunId,
        project: ProjectId,
        task: &crate::ComplexTask,
        created_at: Timestamp,
    ) -> Self {
        Self {
            run,
            project,
            task_id: task.id.clone(),
            task_type: task.task_type.clone(),
            description: task.description.clone(),
            request_key: None,
            created_at,
        }
    }
}

setters! { RunHead {
    /// Sets the submitter's name for the request.
    with_request_key => request_key: Option<RequestKey>,
} }

/// Where a run stands, kept beside its events so that lists need no folding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunSummary {
    /// Where it stands.
    pub phase: RunPhase,
    /// How it ended, once it has.
    pub end: Option<EndStatus>,
    /// How many subtasks stand where.
    pub counts: Counts,
}

impl RunSummary {
    /// Makes a summary.
    pub fn new(phase: RunPhase, end: Option<EndStatus>, counts: Counts) -> Self {
        Self { phase, end, counts }
    }
}

/// A run as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunRow {
    /// What never changes.
    pub head: RunHead,
    /// Where it stands.
    pub summary: RunSummary,
    /// The last event.
    pub seq: Seq,
    /// When the last event happened.
    pub updated_at: Timestamp,
    /// The epoch of the last owner.
    pub epoch: Epoch,
    /// Who owns it.
    pub owner: Option<Owner>,
}

impl RunRow {
    /// Makes the row of a run that nobody owns.
    pub fn new(head: RunHead, summary: RunSummary, seq: Seq, updated_at: Timestamp) -> Self {
        Self { head, summary, seq, updated_at, epoch: Epoch(0), owner: None }
    }
}

setters! { RunRow {
    /// Sets the epoch of the last owner.
    with_epoch => epoch: Epoch,
    /// Sets who owns it.
    with_owner => owner: Option<Owner>,
} }

/// A process that may own runs, with what is needed to find out whether it still lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Owner {
    /// This start of the process.
    pub id: OwnerId,
    /// Its name for humans, for example `orch run on host x`.
    pub name: String,
    /// The process.
    pub process: ProcessId,
    /// Until when it is taken to live without being asked.
    pub until: Timestamp,
}

impl Owner {
    /// Makes an owner.
    pub fn new(
        id: impl Into<OwnerId>,
        name: impl Into<String>,
        process: ProcessId,
        until: Timestamp,
    ) -> Self {
        Self { id: id.into(), name: name.into(), process, until }
    }
}

/// A process on a machine, named so that a reused number is not mistaken for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProcessId {
    /// The number.
    pub pid: u32,
    /// When it was started, in the clock ticks of its boot; 0 when unknown.
    pub start: u64,
    /// The boot of the machine; empty when unknown.
    pub boot: String,
}

impl ProcessId {
    /// Makes a process id.
    pub fn new(pid: u32, start: u64, boot: impl Into<String>) -> Self {
        Self { pid, start, boot: boot.into() }
    }
}

/// The process of an attempt, noted so that it can be killed after its supervisor died.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AttemptProcess {
    /// The run.
    pub run: RunId,
    /// The attempt.
    pub fence: Fence,
    /// The process, leader of its group.
    pub process: ProcessId,
}

impl AttemptProcess {
    /// Makes a note.
    pub fn new(run: RunId, fence: Fence, process: ProcessId) -> Self {
        Self { run, fence, process }
    }
}

/// One atomic write: the events of a turn and all that goes with them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Append {
    /// What never changes; creates the run's row when `expected` is 0.
    pub head: Arc<RunHead>,
    /// The last event that the writer has seen.
    pub expected: Seq,
    /// The writer's epoch, when it must be the owner.
    pub epoch: Option<Epoch>,
    /// The events, numbered from `expected` + 1; never empty.
    pub events: Arc<[Recorded]>,
    /// Where the run stands after them.
    pub summary: RunSummary,
    /// Blobs that the events name: durable before the events are.
    pub blobs: Vec<Blob>,
    /// Locks to take, all or nothing.
    pub take: Vec<LockName>,
    /// Locks of this run to free.
    pub free: Vec<LockName>,
}

impl Append {
    /// Makes an append without blobs and locks.
    pub fn new(
        head: Arc<RunHead>,
        expected: Seq,
        epoch: Option<Epoch>,
        events: Arc<[Recorded]>,
        summary: RunSummary,
    ) -> Self {
        Self {
            head,
            expected,
            epoch,
            events,
            summary,
            blobs: Vec::new(),
            take: Vec::new(),
            free: Vec::new(),
        }
    }
}

setters! { Append {
    /// Sets the blobs that the events name.
    with_blobs => blobs: Vec<Blob>,
    /// Sets the locks to take.
    with_take => take: Vec<LockName>,
    /// Sets the locks to free.
    with_free => free: Vec<LockName>,
} }

/// The bytes of a blob with their name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// The name: the hash of the bytes.
    pub name: BlobRef,
    /// The bytes.
    pub bytes: Arc<[u8]>,
}

impl Blob {
    /// Names `bytes` by their hash.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self {
            name: BlobRef { hash: crate::Digest::of_bytes(&bytes), size: bytes.len() as u64 },
            bytes,
        }
    }
}

/// Which runs to list. Newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunFilter {
    /// Only those of this project.
    pub project: Option<ProjectId>,
    /// Only those that have not ended.
    pub open: bool,
    /// Only those whose id begins so.
    pub prefix: Option<String>,
    /// At most so many; 0 means 100.
    pub limit: u32,
}

impl RunFilter {
    /// Makes a filter that lets the newest 100 runs through.
    pub fn new() -> Self {
        Self::default()
    }
}

setters! { RunFilter {
    /// Sets the project.
    with_project => project: Option<ProjectId>,
    /// Sets whether only runs that have not ended are listed.
    with_open => open: bool,
    /// Sets how the ids begin.
    with_prefix => prefix: Option<String>,
    /// Sets how many are listed at most.
    with_limit => limit: u32,
} }

/// Stores runs. Every method may be called by many tasks and many processes at once.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Appends one turn. `Ok` means that it is durable; see [`AppendError`] for what else can be known.
    ///
    /// # Errors
    /// When it was not, or perhaps not, appended.
    async fn append(&self, append: Append) -> Result<(), AppendError>;

    /// Loads the events of `run` after `after`, in order; none for a run that does not exist.
    ///
    /// # Errors
    /// When the store fails or holds something that cannot be read.
    async fn load(&self, run: RunId, after: Seq) -> Result<Vec<Recorded>, JournalError>;

    /// Returns the row of `run`.
    ///
    /// # Errors
    /// When the store fails.
    async fn row(&self, run: RunId) -> Result<Option<RunRow>, JournalError>;

    /// Lists runs, newest first.
    ///
    /// # Errors
    /// When the store fails.
    async fn rows(&self, filter: &RunFilter) -> Result<Vec<RunRow>, JournalError>;

    /// Returns the last event of each of `runs` that exists.
    ///
    /// # Errors
    /// When the store fails.
    async fn heads(&self, runs: &[RunId]) -> Result<Vec<(RunId, Seq)>, JournalError>;

    /// Returns the run that was submitted under `key`.
    ///
    /// # Errors
    /// When the store fails.
    async fn run_of_request(
        &self,
        project: &ProjectId,
        key: &RequestKey,
    ) -> Result<Option<RunId>, JournalError>;

    /// Returns the bytes of a blob.
    ///
    /// # Errors
    /// When there is no such blob, its bytes do not match its name, or the store fails.
    async fn blob(&self, name: BlobRef) -> Result<Vec<u8>, JournalError>;

    /// Registers a process that may own runs, or extends its life until `owner.until`.
    ///
    /// # Errors
    /// When the store fails.
    async fn register(&self, owner: &Owner) -> Result<(), JournalError>;

    /// Makes a registered process the owner of `run`, with a new epoch.
    ///
    /// It works when nobody owns the run, when the owner's time is over at `now`, or when the owner's epoch is `dead`: the
    /// caller then knows that this owner is dead. An owner that asks again gets a new epoch too.
    ///
    /// # Errors
    /// When there is no such run, when somebody else owns it, or when the store fails.
    async fn acquire(
        &self,
        run: RunId,
        owner: &OwnerId,
        now: Timestamp,
        dead: Option<Epoch>,
    ) -> Result<Epoch, AcquireError>;

    /// Ends the ownership with this epoch; does nothing when a later one exists.
    ///
    /// # Errors
    /// When the store fails.
    async fn release(&self, run: RunId, epoch: Epoch) -> Result<(), JournalError>;

    /// Waits until another writer may have appended something since the last call; may wake for nothing.
    ///
    /// # Errors
    /// When the store fails.
    async fn foreign_change(&self) -> Result<(), JournalError>;

    /// Notes the process of an attempt. Notes go when their run ends.
    ///
    /// # Errors
    /// When the store fails.
    async fn note_process(&self, note: AttemptProcess) -> Result<(), JournalError>;

    /// Returns the noted processes of a run.
    ///
    /// # Errors
    /// When the store fails.
    async fn processes(&self, run: RunId) -> Result<Vec<AttemptProcess>, JournalError>;
}

/// Why the journal did not confirm an append. In every case the driver drops the run's state and folds it again.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AppendError {
    /// Another writer was first: catch up to `actual`, decide again. Nothing was written.
    #[error("run {run} is at event {actual}, not {expected}")]
    Conflict {
        /// The run.
        run: RunId,
        /// Where the writer thought it was.
        expected: Seq,
        /// Where it is.
        actual: Seq,
    },
    /// The run has another owner: stop all that was started for it. Nothing was written.
    #[error("run {run} belongs to the owner with epoch {actual}, not to {epoch}")]
    Fenced {
        /// The run.
        run: RunId,
        /// The writer's epoch.
        epoch: Epoch,
        /// The owner's epoch.
        actual: Epoch,
    },
    /// A lock is held, by another run or for another attempt of this one: decide again without it. No event was written.
    #[error("lock `{lock}` is held by run {holder}")]
    LockHeld {
        /// The run that asked.
        run: RunId,
        /// The lock.
        lock: LockName,
        /// The run that holds it.
        holder: RunId,
    },
    /// The request was made before: take that run. Nothing was written.
    #[error("request `{key}` was answered before, by run {existing}")]
    RequestTaken {
        /// The run that would have been made.
        run: RunId,
        /// The request.
        key: RequestKey,
        /// The run that exists.
        existing: RunId,
    },
    /// The store failed, perhaps after it wrote: load, decide again; never append blindly.
    #[error("cannot write the journal of run {run}")]
    Store {
        /// The run.
        run: RunId,
        /// What happened.
        source: BoxError,
    },
}

/// Why a run could not be acquired.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AcquireError {
    /// There is no such run.
    #[error("there is no run {0}")]
    NotFound(RunId),
    /// The owner has not registered.
    #[error("owner {0} is not registered")]
    Unregistered(OwnerId),
    /// Somebody else owns it.
    #[error("run {run} is owned by {} (process {})", .owner.name, .owner.process.pid)]
    Owned {
        /// The run.
        run: RunId,
        /// Who.
        owner: Box<Owner>,
        /// Its epoch.
        epoch: Epoch,
    },
    /// The store failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Why the journal could not be read or changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The store failed: try again.
    #[error("cannot {doing}")]
    Store {
        /// What it was doing, for example `load run x`.
        doing: String,
        /// What happened.
        source: BoxError,
    },
    /// The store holds something that cannot be read: a later version wrote it, or it is damaged.
    #[error("{what} cannot be read: {reason}")]
    Corrupt {
        /// What, for example `event 7 of run x`.
        what: String,
        /// Why not.
        reason: String,
    },
    /// There is no such blob.
    #[error("there is no blob {}", .0.hash)]
    NoBlob(BlobRef),
}
