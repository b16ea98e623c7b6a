//! The journal in memory: for tests, for libraries that need no durability, and as the default of a supervisor.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use event_listener::{Event, EventListener};
use jiff::Timestamp;

use super::{
    AcquireError, Append, AppendError, AttemptProcess, Journal, JournalError, MemoryStore, Owner,
    Recorded, RunFilter, RunRow,
};
use crate::{BlobRef, Epoch, LockName, OwnerId, ProjectId, RequestKey, RunId, Seq};

/// A [`Journal`] that lives as long as its last clone.
///
/// Clones share the runs; [`second_writer`](Self::second_writer) makes a handle whose appends the others see as foreign, as
/// if it belonged to another process.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use orch_core::journal::{AppendError, MemoryJournal};
/// use orch_core::testing::SampleRun; // behind the feature `testing`
/// use orch_core::{Journal, Seq};
///
/// let (journal, run) = (MemoryJournal::new(), SampleRun::new(1));
/// let other = journal.second_writer();
/// journal.append(run.step(0, 2)).await?;
/// let late = other.append(run.step(0, 1)).await;
/// assert!(matches!(late, Err(AppendError::Conflict { actual: Seq(2), .. })));
/// assert_eq!(other.load(run.id(), Seq(0)).await?.len(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryJournal {
    shared: Arc<Shared>,
    writer: Arc<Writer>,
}

#[derive(Debug, Default)]
struct Shared {
    store: Mutex<MemoryStore>,
    /// Appends of all writers.
    appends: AtomicU64,
    changed: Event,
}

#[derive(Debug, Default)]
struct Writer {
    /// Appends of this writer.
    own: AtomicU64,
    /// Foreign appends that this writer has been told of.
    seen: AtomicU64,
}

impl MemoryJournal {
    /// Makes an empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a handle on the same runs that counts as another process.
    #[must_use]
    pub fn second_writer(&self) -> Self {
        Self { shared: self.shared.clone(), writer: Arc::default() }
    }

    fn store(&self) -> MutexGuard<'_, MemoryStore> {
        // Every change of the store is complete before anything in it can panic, so a poisoned lock hides no half change.
        self.shared.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn foreign(&self) -> u64 {
        self.shared
            .appends
            .load(Ordering::SeqCst)
            .saturating_sub(self.writer.own.load(Ordering::SeqCst))
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn append(&self, append: Append) -> Result<(), AppendError> {
        {
            let mut store = self.store();
            store.append(append)?;
            self.writer.own.fetch_add(1, Ordering::SeqCst);
            self.shared.appends.fetch_add(1, Ordering::SeqCst);
        }
        self.shared.changed.notify(usize::MAX);
        Ok(())
    }

    async fn load(&self, run: RunId, after: Seq) -> Result<Vec<Recorded>, JournalError> {
        Ok(self.store().load(run, after))
    }

    async fn row(&self, run: RunId) -> Result<Option<RunRow>, JournalError> {
        Ok(self.store().row(run))
    }

    async fn rows(&self, filter: &RunFilter) -> Result<Vec<RunRow>, JournalError> {
        Ok(self.store().rows(filter))
    }

    async fn heads(&self, runs: &[RunId]) -> Result<Vec<(RunId, Seq)>, JournalError> {
        let store = self.store();
        Ok(runs.iter().filter_map(|run| store.seq(*run).map(|seq| (*run, seq))).collect())
    }

    async fn run_of_request(
        &self,
        project: &ProjectId,
        key: &RequestKey,
    ) -> Result<Option<RunId>, JournalError> {
        Ok(self.store().run_of_request(project, key))
    }

    async fn lock_holder(
        &self,
        project: &ProjectId,
        lock: &LockName,
    ) -> Result<Option<RunId>, JournalError> {
        Ok(self.store().lock_holder(project, lock))
    }

    async fn blob(&self, name: BlobRef) -> Result<Vec<u8>, JournalError> {
        self.store().blob(name).map(|bytes| bytes.to_vec())
    }

    async fn register(&self, owner: &Owner) -> Result<(), JournalError> {
        self.store().register(owner);
        Ok(())
    }

    async fn acquire(
        &self,
        run: RunId,
        owner: &OwnerId,
        now: Timestamp,
        dead: Option<Epoch>,
    ) -> Result<Epoch, AcquireError> {
        self.store().acquire(run, owner, now, dead)
    }

    async fn release(&self, run: RunId, epoch: Epoch) -> Result<(), JournalError> {
        self.store().release(run, epoch);
        Ok(())
    }

    async fn foreign_change(&self) -> Result<(), JournalError> {
        loop {
            let listener: EventListener = self.shared.changed.listen();
            let foreign = self.foreign();
            if self.writer.seen.swap(foreign, Ordering::SeqCst) != foreign {
                return Ok(());
            }
            listener.await;
        }
    }

    async fn note_process(&self, note: AttemptProcess) -> Result<(), JournalError> {
        self.store().note_process(note);
        Ok(())
    }

    async fn processes(&self, run: RunId) -> Result<Vec<AttemptProcess>, JournalError> {
        Ok(self.store().processes(run))
    }
}
