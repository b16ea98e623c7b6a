//! The contract of all journals.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{
    AcquireError, Append, AppendError, AttemptProcess, JournalError, Owner, Readable, Recorded,
    RunFilter, RunRow,
};
use crate::{BlobRef, Epoch, LockName, OwnerId, ProjectId, RequestKey, RunId, Seq};

/// Stores runs. Every method may be called by many tasks and many processes at once.
///
/// Events are kept exactly, their [`at`](Recorded::at) to the microsecond. When an append is refused for several reasons, it
/// says any one of them.
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

    /// Loads the events of `run` after `after`, up to the first that cannot be read.
    ///
    /// A journal that can hold something unreadable must not take this default, which knows no part of a run.
    ///
    /// # Errors
    /// When the store fails.
    async fn load_readable(&self, run: RunId, after: Seq) -> Result<Readable, JournalError> {
        Ok(Readable { events: self.load(run, after).await?, broken: None })
    }

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

    /// Returns the run that holds a lock.
    ///
    /// # Errors
    /// When the store fails.
    async fn lock_holder(
        &self,
        project: &ProjectId,
        lock: &LockName,
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

    /// Notes the process of an attempt of a run that exists. Notes go when their run ends.
    ///
    /// # Errors
    /// When the store fails.
    async fn note_process(&self, note: AttemptProcess) -> Result<(), JournalError>;

    /// Returns the noted processes of a run.
    ///
    /// # Errors
    /// When the store fails.
    async fn processes(&self, run: RunId) -> Result<Vec<AttemptProcess>, JournalError>;

    /// Writes what was asked for, then closes the store. Later calls fail; a second `close` does nothing.
    ///
    /// A journal that has nothing to close does nothing.
    async fn close(&self) {}
}
