//! The journal, guarded: a panic is an answer of a store that refuses.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt;
use jiff::Timestamp;
use orch_core::journal::{
    AcquireError, Append, AppendError, AttemptProcess, Journal, JournalError, Owner, Recorded,
    RunFilter, RunRow,
};
use orch_core::{BlobRef, BoxError, Epoch, LockName, OwnerId, ProjectId, RequestKey, RunId, Seq};

use super::inline::panic_message;

/// A journal whose panics are errors. It has no time limit: what is appended late is appended, and a store that does not answer
/// holds up its own run only.
pub(crate) struct GuardedJournal(Arc<dyn Journal>);

impl GuardedJournal {
    pub(crate) fn new(journal: Arc<dyn Journal>) -> Self {
        Self(journal)
    }
}

/// Says that a store panicked.
#[derive(Debug, thiserror::Error)]
#[error("it panicked: {0}")]
struct StorePanicked(String);

async fn caught<T>(call: impl Future<Output = T>) -> Result<T, BoxError> {
    let answer = AssertUnwindSafe(call).catch_unwind().await;
    answer.map_err(|panic| StorePanicked(panic_message(&*panic).to_owned()).into())
}

async fn guarded<T>(
    doing: &str,
    call: impl Future<Output = Result<T, JournalError>>,
) -> Result<T, JournalError> {
    let store = |source| JournalError::Store { doing: doing.to_owned(), source };
    caught(call).await.map_err(store)?
}

#[async_trait]
impl Journal for GuardedJournal {
    async fn append(&self, append: Append) -> Result<(), AppendError> {
        let run = append.head.run;
        let appended = caught(async { self.0.append(append).await }).await;
        appended.map_err(|source| AppendError::Store { run, source })?
    }

    async fn load(&self, run: RunId, after: Seq) -> Result<Vec<Recorded>, JournalError> {
        guarded("load events", async { self.0.load(run, after).await }).await
    }

    async fn row(&self, run: RunId) -> Result<Option<RunRow>, JournalError> {
        guarded("read a run", async { self.0.row(run).await }).await
    }

    async fn rows(&self, filter: &RunFilter) -> Result<Vec<RunRow>, JournalError> {
        guarded("list runs", async { self.0.rows(filter).await }).await
    }

    async fn heads(&self, runs: &[RunId]) -> Result<Vec<(RunId, Seq)>, JournalError> {
        guarded("read the heads of runs", async { self.0.heads(runs).await }).await
    }

    async fn run_of_request(
        &self,
        project: &ProjectId,
        key: &RequestKey,
    ) -> Result<Option<RunId>, JournalError> {
        guarded("look up a request", async { self.0.run_of_request(project, key).await }).await
    }

    async fn lock_holder(
        &self,
        project: &ProjectId,
        lock: &LockName,
    ) -> Result<Option<RunId>, JournalError> {
        guarded("look up a lock", async { self.0.lock_holder(project, lock).await }).await
    }

    async fn blob(&self, name: BlobRef) -> Result<Vec<u8>, JournalError> {
        guarded("read a blob", async { self.0.blob(name).await }).await
    }

    async fn register(&self, owner: &Owner) -> Result<(), JournalError> {
        guarded("register an owner", async { self.0.register(owner).await }).await
    }

    async fn acquire(
        &self,
        run: RunId,
        owner: &OwnerId,
        now: Timestamp,
        dead: Option<Epoch>,
    ) -> Result<Epoch, AcquireError> {
        let acquired = caught(async { self.0.acquire(run, owner, now, dead).await }).await;
        let store = |source| JournalError::Store { doing: "acquire a run".to_owned(), source };
        acquired.map_err(store)?
    }

    async fn release(&self, run: RunId, epoch: Epoch) -> Result<(), JournalError> {
        guarded("release a run", async { self.0.release(run, epoch).await }).await
    }

    async fn foreign_change(&self) -> Result<(), JournalError> {
        guarded("watch for changes", async { self.0.foreign_change().await }).await
    }

    async fn note_process(&self, note: AttemptProcess) -> Result<(), JournalError> {
        guarded("note a process", async { self.0.note_process(note).await }).await
    }

    async fn processes(&self, run: RunId) -> Result<Vec<AttemptProcess>, JournalError> {
        guarded("read noted processes", async { self.0.processes(run).await }).await
    }

    async fn close(&self) {
        if let Err(error) = caught(async { self.0.close().await }).await {
            tracing::warn!(%error, "the store could not be closed");
        }
    }
}
