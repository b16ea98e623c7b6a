//! The handle: sends appends to the writer, does the rest by itself.

use std::sync::OnceLock;

use async_trait::async_trait;
use jiff::Timestamp;
use orch_core::journal::{
    AcquireError, Append, AppendError, AttemptProcess, JournalError, Owner, Readable, Recorded,
    RunFilter, RunRow,
};
use orch_core::{BlobRef, Epoch, Journal, LockName, OwnerId, ProjectId, RequestKey, RunId, Seq};
use sqlx::Postgres;
use tokio::sync::{mpsc, oneshot};

use super::open::{self, PostgresError};
use super::options::PostgresOptions;
use super::store::Store;
use super::tail::Tail;
use super::writer::{Request, Writer};
use super::{blobs, owners};
use crate::error::{Closed, Failure, failed_to};
use crate::journal::owners::Acquire;
use crate::journal::{Reader, read_store_id};
use crate::prepared::Prepared;
use crate::sql::Conn;
use crate::store_id::StoreId;

/// A [`Journal`] in a PostgreSQL database (15 or later), shared by any number of processes on any number of machines.
///
/// Times are kept to the microsecond; what is finer is cut off. A text with a NUL character in a run's head, and a name or
/// key of more than 2 KiB, is refused by the database. Dropping it loses nothing that was acknowledged;
/// [`close`](Journal::close) also waits for what was not.
pub struct PostgresJournal {
    store: Store,
    /// The name of this writer in notifications.
    writer: String,
    requests: mpsc::Sender<Request>,
    reader: Reader<Postgres>,
    id: StoreId,
    /// Made by the first who wants to hear of changes.
    tail: OnceLock<Tail>,
}

impl PostgresJournal {
    /// Opens the database at `url`, for example `postgres://user@host:5432/database?sslmode=require`; makes the tables
    /// `orch_*` in the first schema of its search path unless it is only to be read.
    ///
    /// Nothing that the URL leaves out comes from the environment (`PGHOST`, `PGPASSWORD`, ..) or from `~/.pgpass`: the host is
    /// `localhost`, the port 5432, the user that of the system, the database of the user's name, and there is no password. Off
    /// the machine TLS is `verify-full` unless the URL has an `sslmode`. Must be called within a tokio runtime with time
    /// enabled, which then drives the writer.
    ///
    /// # Errors
    /// When the database cannot be used; see [`PostgresError`].
    pub async fn open(url: &str, options: PostgresOptions) -> Result<Self, PostgresError> {
        let store = Store::new(url, &options)?;
        let failed = |source| PostgresError::Store { store: store.name(), source };
        let mut conn = open::open(&store, &options, &open::JOURNAL).await?;
        let id = read_store_id(&mut Conn::<Postgres>::new(&mut conn)).await.map_err(failed)?;
        let writer: String = sqlx::query_scalar("SELECT gen_random_uuid()::text")
            .fetch_one(&mut conn)
            .await
            .map_err(|source| failed(source.into()))?;
        let requests = Writer::start(conn, store.clone(), &writer);
        let reader = Reader::new(store.pool(options.connections.max(1)));
        Ok(Self { store, writer, requests, reader, id, tail: OnceLock::new() })
    }

    /// Returns the id of the store.
    pub fn store_id(&self) -> StoreId {
        self.id
    }
}

impl std::fmt::Debug for PostgresJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PostgresJournal").field(&self.store.name()).finish()
    }
}

#[async_trait]
impl Journal for PostgresJournal {
    async fn append(&self, append: Append) -> Result<(), AppendError> {
        let run = append.head.run;
        let prepared = Box::new(Prepared::new(append)?);
        let failed = |source| AppendError::Store { run, source };
        blobs::write(self.reader.pool(), &prepared.blobs)
            .await
            .map_err(|error| failed(Failure::from(error).into()))?;
        let (answer, wait) = oneshot::channel();
        let request = Request::Append(prepared, answer);
        self.requests.send(request).await.map_err(|_| failed(Closed.into()))?;
        wait.await.unwrap_or_else(|_| Err(failed(Closed.into())))
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
        let done = owners::register(self.reader.pool(), owner).await;
        done.map_err(|source| failed_to(format!("register {}", owner.id), source))
    }

    async fn acquire(
        &self,
        run: RunId,
        owner: &OwnerId,
        now: Timestamp,
        dead: Option<Epoch>,
    ) -> Result<Epoch, AcquireError> {
        let done =
            owners::acquire(self.reader.pool(), &Acquire { run, owner: owner.clone(), now, dead })
                .await;
        done.map_err(|source| failed_to(format!("acquire run {run}"), source))?
    }

    async fn release(&self, run: RunId, epoch: Epoch) -> Result<(), JournalError> {
        let done = owners::release(self.reader.pool(), run, epoch).await;
        done.map_err(|source| failed_to(format!("release run {run}"), source))
    }

    async fn foreign_change(&self) -> Result<(), JournalError> {
        let tail = self.tail.get_or_init(|| Tail::start(&self.store, self.writer.clone()));
        let done = tail.changed().await;
        done.map_err(|closed| failed_to("listen for changes of other processes".to_owned(), closed))
    }

    async fn note_process(&self, note: AttemptProcess) -> Result<(), JournalError> {
        let done = owners::note_process(self.reader.pool(), &note).await;
        done.map_err(|source| failed_to(format!("note a process of run {}", note.run), source))
    }

    async fn processes(&self, run: RunId) -> Result<Vec<AttemptProcess>, JournalError> {
        self.reader.processes(run).await
    }

    async fn close(&self) {
        if let Some(tail) = self.tail.get() {
            tail.stop();
        }
        let (closed, wait) = oneshot::channel();
        if self.requests.send(Request::Close(closed)).await.is_ok() {
            wait.await.ok();
        }
        self.reader.pool().close().await;
    }
}
