//! What is written at once.

use std::sync::Arc;

use super::{Recorded, RunHead, RunSummary};
use crate::setters::setters;
use crate::{BlobRef, Digest, Epoch, LockName, OwnerId, Seq};

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
    /// Who owns the run from its first event on, with epoch 1; only looked at when `expected` is 0. As with
    /// [`acquire`](super::Journal::acquire), who is not registered can be shown to live by nothing, and keeps nobody out.
    pub owner: Option<OwnerId>,
    /// The events, numbered from `expected` + 1; never empty.
    pub events: Arc<[Recorded]>,
    /// Where the run stands after them.
    pub summary: RunSummary,
    /// Blobs that the events name: durable before the events are.
    pub blobs: Vec<Blob>,
    /// Locks to take, all or nothing. None may be held after `free`, by this run neither: each belongs to one attempt.
    pub take: Vec<LockName>,
    /// Locks to free, before others are taken; those that this run does not hold are passed over.
    pub free: Vec<LockName>,
}

impl Append {
    /// Makes an append without blobs and locks; a new run is owned by nobody.
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
            owner: None,
            events,
            summary,
            blobs: Vec::new(),
            take: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Returns the epoch of a new run: 1 when somebody owns it from its first event on, else 0.
    pub fn first_epoch(&self) -> Epoch {
        Epoch(u64::from(self.owner.is_some()))
    }
}

setters! { Append {
    /// Sets who owns a new run.
    with_owner => owner: Option<OwnerId>,
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
        Self { name: BlobRef { hash: Digest::of_bytes(&bytes), size: bytes.len() as u64 }, bytes }
    }
}
