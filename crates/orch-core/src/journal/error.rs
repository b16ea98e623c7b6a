//! What can go wrong, made for the caller's next step.

use thiserror::Error;

use super::Owner;
use crate::{BlobRef, BoxError, Epoch, LockName, OwnerId, RequestKey, RunId, Seq};

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
