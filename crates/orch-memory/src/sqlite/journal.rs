//! The handle: sends writes to the writer, reads by itself.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use orch_core::journal::{
    AcquireError, Append, AppendError, AttemptProcess, JournalError, Owner, Readable, Recorded,
    RunFilter, RunRow,
};
use orch_core::{
    BlobRef, BoxError, Epoch, Journal, LockName, OwnerId, ProjectId, RequestKey, RunId, Seq,
};
use sqlx::Sqlite;
use tokio::sync::{mpsc, oneshot};

use super::error::OpenError;
use super::file::{StoreFile, StoreLost};
use super::open;
use super::options::SqliteOptions;
use super::request::{PendingReply, Request, Write};
use super::writer::Writer;
use crate::error::{Closed, failed_to};
use crate::journal::owners::Acquire;
use crate::journal::{Reader, read_store_id};
use crate::prepared::Prepared;
use crate::sql::Conn;
use crate::store_id::StoreId;

/// How long to wait between two looks for changes of other processes.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A [`Journal`] in a SQLite file, shared by any number of processes.
///
/// Times are kept to the microsecond; what is finer is cut off. Two journals that are open on one file are two writers, in
/// one process as in two. Dropping it loses nothing that was acknowledged; [`close`](Journal::close) also waits for what was not,
/// and when no other connection is left, also no other process's, it leaves one file that is the whole store, without a WAL file
/// beside it.
#[derive(Debug)]
pub struct SqliteJournal {
    requests: mpsc::Sender<Request>,
    reader: Reader<Sqlite>,
    id: StoreId,
    file: Arc<StoreFile>,
    /// The changes of others of which somebody has been told.
    seen: AtomicU64,
}

impl SqliteJournal {
    /// Opens the file at `path`; creates it and its folder (for this user only) unless it is only to be read.
    ///
    /// Must be called within a tokio runtime with time enabled, which then drives the writer.
    ///
    /// # Errors
    /// When the file cannot be used; see [`OpenError`].
    pub async fn open(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let failed = |source| OpenError::Store { path: path.to_owned(), source };
        let mut connections = open::open(path, &options, &open::JOURNAL).await?;
        let id = read_store_id(&mut Conn::<Sqlite>::new(&mut connections.writer)).await;
        let id = id.map_err(failed)?;
        let file = Arc::new(StoreFile::new(path, id));
        let requests = Writer::start(connections.writer, connections.reconnect, file.clone())
            .await
            .map_err(|source| failed(source.into()))?;
        let reader = Reader::new(connections.readers);
        Ok(Self { requests, reader, id, file, seen: AtomicU64::new(0) })
    }

    /// Returns the id of the store.
    pub fn store_id(&self) -> StoreId {
        self.id
    }

    /// Reads the id of the store in the file at `path`: creates and changes nothing. `None` when the file is a database without
    /// such an id.
    ///
    /// # Errors
    /// When the file cannot be read; see [`OpenError`].
    pub async fn read_store_id(path: impl AsRef<Path>) -> Result<Option<StoreId>, OpenError> {
        open::read_store_id(path.as_ref()).await
    }

    /// Looks whether the file is still where it was opened; costs a `stat`, and more only if it is not. After an error the journal
    /// still writes to the file that it has open, which nobody else finds at that place: end what uses it, then
    /// [`close`](Journal::close) it.
    ///
    /// # Errors
    /// With what became of the file.
    pub async fn check_file(&self) -> Result<(), StoreLost> {
        self.file.check().await
    }

    /// Lists runs, newest first, through the connection that writes: also when the file is not where it was opened, where other
    /// connections would find nothing or another store.
    ///
    /// # Errors
    /// When the journal is closed or the file cannot be read.
    pub async fn rows_of_open_file(&self, filter: RunFilter) -> Result<Vec<RunRow>, JournalError> {
        self.ask(|answer| Request::List(filter, answer))
            .await
            .unwrap_or_else(|closed| Err(failed_to("list runs".to_owned(), closed)))
    }

    /// Asks the writer and waits for its answer.
    async fn ask<A>(
        &self,
        request: impl FnOnce(oneshot::Sender<A>) -> Request,
    ) -> Result<A, Closed> {
        let (answer, wait) = oneshot::channel();
        self.requests.send(request(answer)).await.map_err(|_| Closed)?;
        wait.await.map_err(|_| Closed)
    }

    async fn count_foreign(&self) -> Result<u64, BoxError> {
        Ok(self.ask(Request::CountForeign).await??)
    }

    async fn write(
        &self,
        doing: impl Fn() -> String,
        write: impl FnOnce(PendingReply<(), JournalError>) -> Write,
    ) -> Result<(), JournalError> {
        self.ask(|answer| Request::Write(write(PendingReply::new(answer))))
            .await
            .unwrap_or_else(|closed| Err(failed_to(doing(), closed)))
    }
}

#[async_trait]
impl Journal for SqliteJournal {
    async fn append(&self, append: Append) -> Result<(), AppendError> {
        let run = append.head.run;
        let prepared = Box::new(Prepared::new(append)?);
        self.ask(|answer| Request::Write(Write::Append(prepared, PendingReply::new(answer))))
            .await
            .unwrap_or_else(|closed| Err(AppendError::Store { run, source: Box::new(closed) }))
    }

    async fn load(&self, run: RunId, after: Seq) -> Result<Vec<Recorded>, JournalError> {
        self.reader.load(run, after).await?.into_whole()
    }

    async fn load_readable(&self, run: RunId, after: Seq) -> Result<Readable, JournalError> {
        self.reader.load(run, after).await
    }

    async fn row(&self, run: RunId) -> Result<Option<RunRow>, JournalError> {
        self.reader.row(run).await
    }

    async fn rows(&self, filter: &RunFilter) -> Result<Vec<RunRow>, JournalError> {
        self.reader.rows(filter).await
    }

    async fn heads(&self, runs: &[RunId]) -> Result<Vec<(RunId, Seq)>, JournalError> {
        self.reader.heads(runs).await
    }

    async fn run_of_request(
        &self,
        project: &ProjectId,
        key: &RequestKey,
    ) -> Result<Option<RunId>, JournalError> {
        self.reader.run_of_request(project, key).await
    }

    async fn lock_holder(
        &self,
        project: &ProjectId,
        lock: &LockName,
    ) -> Result<Option<RunId>, JournalError> {
        self.reader.lock_holder(project, lock).await
    }

    async fn blob(&self, name: BlobRef) -> Result<Vec<u8>, JournalError> {
        self.reader.blob(name).await
    }

    async fn register(&self, owner: &Owner) -> Result<(), JournalError> {
        self.write(|| format!("register {}", owner.id), |slot| Write::Register(owner.clone(), slot))
            .await
    }

    async fn acquire(
        &self,
        run: RunId,
        owner: &OwnerId,
        now: Timestamp,
        dead: Option<Epoch>,
    ) -> Result<Epoch, AcquireError> {
        let acquire = Acquire { run, owner: owner.clone(), now, dead };
        self.ask(|answer| Request::Write(Write::Acquire(acquire, PendingReply::new(answer))))
            .await
            .unwrap_or_else(|closed| Err(failed_to(format!("acquire run {run}"), closed).into()))
    }

    async fn release(&self, run: RunId, epoch: Epoch) -> Result<(), JournalError> {
        self.write(|| format!("release run {run}"), |slot| Write::Release(run, epoch, slot)).await
    }

    async fn foreign_change(&self) -> Result<(), JournalError> {
        loop {
            let changes = self.count_foreign().await.map_err(|source| {
                failed_to("look for changes of other processes".to_owned(), source)
            })?;
            if self.seen.swap(changes, Ordering::SeqCst) != changes {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn note_process(&self, note: AttemptProcess) -> Result<(), JournalError> {
        let run = note.run;
        self.write(|| format!("note a process of run {run}"), |slot| Write::Note(note, slot)).await
    }

    async fn processes(&self, run: RunId) -> Result<Vec<AttemptProcess>, JournalError> {
        self.reader.processes(run).await
    }

    async fn close(&self) {
        let (closed, wait) = oneshot::channel();
        // The readers first: the last connection to go tidies up the file, and a reader cannot.
        self.reader.pool().close().await;
        if self.requests.send(Request::Close(closed)).await.is_ok() {
            wait.await.ok();
        }
    }
}
