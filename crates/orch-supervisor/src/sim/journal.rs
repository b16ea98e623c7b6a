//! A journal that fails on demand, over the same core as `MemoryJournal`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use orch_core::journal::{
    AcquireError, Append, AppendError, AttemptProcess, Journal, JournalError, MemoryStore, Owner,
    Recorded, RunFilter, RunRow,
};
use orch_core::{BlobRef, Epoch, LockName, OwnerId, ProjectId, RequestKey, RunId, Seq};
use tokio::sync::Notify;

/// What becomes of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is carried out as asked.
    Fine,
    /// Nothing is written, and the writer is told that it failed.
    Lost,
    /// It is written, and the writer is told that it failed.
    Unknown,
}

/// A store in memory whose appends meet the fate that they are given.
#[derive(Debug, Default)]
pub struct SimJournal {
    store: MemoryStore,
}

impl SimJournal {
    /// Makes an empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends, or fails, as `fate` wants it. Conflicts, foreign locks and lost ownership are those of the store.
    ///
    /// # Errors
    /// As the store's, and `Store` for every fate but a fine one.
    pub fn append(&mut self, append: Append, fate: Fate) -> Result<(), AppendError> {
        let run = append.head.run;
        if fate != Fate::Lost {
            self.store.append(append)?;
        }
        match fate {
            Fate::Fine => Ok(()),
            Fate::Lost | Fate::Unknown => {
                Err(AppendError::Store { run, source: "the simulated store failed".into() })
            }
        }
    }

    /// Returns the store, which never fails.
    pub fn store(&self) -> &MemoryStore {
        &self.store
    }

    /// Returns the store, to register, acquire and release.
    pub fn store_mut(&mut self) -> &mut MemoryStore {
        &mut self.store
    }
}

/// A [`SimJournal`] without faults behind the contract of all journals, to see that the simulated store keeps it.
#[derive(Debug, Default)]
pub struct SharedSimJournal {
    shared: Arc<Shared>,
    /// Appends by this handle.
    own: AtomicU64,
    /// Foreign appends that this handle has been told of.
    seen: AtomicU64,
}

#[derive(Debug, Default)]
struct Shared {
    journal: Mutex<SimJournal>,
    appends: AtomicU64,
    changed: Notify,
}

impl SharedSimJournal {
    /// Makes an empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a handle on the same runs that counts as another process.
    #[must_use]
    pub fn second_writer(&self) -> Self {
        Self { shared: self.shared.clone(), ..Self::default() }
    }

    fn journal(&self) -> MutexGuard<'_, SimJournal> {
        self.shared.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Journal for SharedSimJournal {
    async fn append(&self, append: Append) -> Result<(), AppendError> {
        {
            let mut journal = self.journal();
            journal.append(append, Fate::Fine)?;
            self.own.fetch_add(1, Ordering::SeqCst);
            self.shared.appends.fetch_add(1, Ordering::SeqCst);
        }
        self.shared.changed.notify_waiters();
        Ok(())
    }

    async fn load(&self, run: RunId, after: Seq) -> Result<Vec<Recorded>, JournalError> {
        Ok(self.journal().store().load(run, after))
    }

    async fn row(&self, run: RunId) -> Result<Option<RunRow>, JournalError> {
        Ok(self.journal().store().row(run))
    }

    async fn rows(&self, filter: &RunFilter) -> Result<Vec<RunRow>, JournalError> {
        Ok(self.journal().store().rows(filter))
    }

    async fn heads(&self, runs: &[RunId]) -> Result<Vec<(RunId, Seq)>, JournalError> {
        let journal = self.journal();
        Ok(runs.iter().filter_map(|run| journal.store().seq(*run).map(|seq| (*run, seq))).collect())
    }

    async fn run_of_request(
        &self,
        project: &ProjectId,
        key: &RequestKey,
    ) -> Result<Option<RunId>, JournalError> {
        Ok(self.journal().store().run_of_request(project, key))
    }

    async fn lock_holder(
        &self,
        project: &ProjectId,
        lock: &LockName,
    ) -> Result<Option<RunId>, JournalError> {
        Ok(self.journal().store().lock_holder(project, lock))
    }

    async fn blob(&self, name: BlobRef) -> Result<Vec<u8>, JournalError> {
        self.journal().store().blob(name).map(|bytes| bytes.to_vec())
    }

    async fn register(&self, owner: &Owner) -> Result<(), JournalError> {
        self.journal().store_mut().register(owner);
        Ok(())
    }

    async fn acquire(
        &self,
        run: RunId,
        owner: &OwnerId,
        now: Timestamp,
        dead: Option<Epoch>,
    ) -> Result<Epoch, AcquireError> {
        self.journal().store_mut().acquire(run, owner, now, dead)
    }

    async fn release(&self, run: RunId, epoch: Epoch) -> Result<(), JournalError> {
        self.journal().store_mut().release(run, epoch);
        Ok(())
    }

    async fn foreign_change(&self) -> Result<(), JournalError> {
        loop {
            let notified = self.shared.changed.notified();
            let all = self.shared.appends.load(Ordering::SeqCst);
            let foreign = all.saturating_sub(self.own.load(Ordering::SeqCst));
            if self.seen.swap(foreign, Ordering::SeqCst) != foreign {
                return Ok(());
            }
            notified.await;
        }
    }

    async fn note_process(&self, note: AttemptProcess) -> Result<(), JournalError> {
        self.journal().store_mut().note_process(note);
        Ok(())
    }

    async fn processes(&self, run: RunId) -> Result<Vec<AttemptProcess>, JournalError> {
        Ok(self.journal().store().processes(run))
    }
}
