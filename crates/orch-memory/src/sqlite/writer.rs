//! The one task that writes: group commit over runs.
//!
//! ```text
//! requests --> take all that has gathered --> blobs ahead --> BEGIN IMMEDIATE .. each write .. COMMIT --> answers
//! ```
//! While a commit waits for the disk, the next requests gather, and share the next commit; nothing waits for a timer. A
//! write checks before it changes anything, so a refused one leaves no trace and the others go on. If the transaction
//! itself fails, nobody in it knows what happened, and all are told so.

use std::io;
use std::mem;
use std::sync::Arc;

use orch_core::journal::{JournalError, RunFilter, RunRow};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Sqlite};
use tokio::sync::{mpsc, oneshot};

use super::append::Appends;
use super::blobs;
use super::file::StoreFile;
use super::request::{Request, Write};
use crate::admission::Wanted;
use crate::error::{Failure, failed_to};
use crate::journal::pieces::PIECE;
use crate::journal::runs;
use crate::sql::Conn;

/// How many requests may wait before those who ask must.
pub(super) const WAITING: usize = 1_024;
/// How many writes share a transaction at most.
const TOGETHER: usize = 256;

/// The state of the writing task.
pub(super) struct Writer {
    requests: mpsc::Receiver<Request>,
    /// `None` after a failure, until the next use: a fresh connection has no half-done transaction.
    conn: Option<SqliteConnection>,
    reconnect: SqliteConnectOptions,
    file: Arc<StoreFile>,
    foreign: Foreign,
    closers: Vec<oneshot::Sender<()>>,
}

/// Counts the commits of other connections, as far as they were noticed.
#[derive(Default)]
struct Foreign {
    /// SQLite's `data_version`: comparable on one connection only, and not changed by its own commits.
    version: Option<i64>,
    changes: u64,
}

impl Foreign {
    fn notice(&mut self, version: i64) -> u64 {
        if self.version != Some(version) {
            self.changes += 1;
            self.version = Some(version);
        }
        self.changes
    }
}

impl Writer {
    /// Starts the task on the current tokio runtime; it ends when all senders are gone or it is asked to close.
    pub(super) async fn start(
        mut conn: SqliteConnection,
        reconnect: SqliteConnectOptions,
        file: Arc<StoreFile>,
    ) -> sqlx::Result<mpsc::Sender<Request>> {
        let (sender, requests) = mpsc::channel(WAITING);
        let foreign = Foreign { version: Some(data_version(&mut conn).await?), changes: 0 };
        let conn = Some(conn);
        let writer = Self { requests, conn, reconnect, file, foreign, closers: Vec::new() };
        tokio::spawn(writer.run());
        Ok(sender)
    }

    async fn run(mut self) {
        let mut gathered = Vec::with_capacity(TOGETHER);
        while self.requests.recv_many(&mut gathered, TOGETHER).await > 0 {
            self.serve(&mut gathered).await;
        }
        if let Some(conn) = self.conn.take()
            && let Err(error) = self.close(conn).await
        {
            tracing::warn!(%error, "the journal was not closed cleanly; nothing committed is lost");
        }
        for closer in self.closers {
            closer.send(()).ok();
        }
    }

    async fn close(&self, mut conn: SqliteConnection) -> sqlx::Result<()> {
        // At the end SQLite leaves the WAL file of a file that was moved as it is. It might lie beside another store now, which
        // must not take it for its own: what is in it goes to the file that it belongs to.
        if !self.file.is_in_place() {
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut conn).await?;
        }
        conn.close().await
    }

    async fn serve(&mut self, gathered: &mut Vec<Request>) {
        let mut writes = Vec::with_capacity(gathered.len());
        for request in gathered.drain(..) {
            match request {
                Request::Write(write) => writes.push(write),
                Request::CountForeign(answer) => {
                    let count = self.count_foreign().await;
                    answer.send(count).ok();
                }
                Request::List(filter, answer) => {
                    answer.send(self.list(&filter).await).ok();
                }
                Request::Close(closer) => {
                    // What is in the channel is still served, nothing more gets in.
                    self.requests.close();
                    self.closers.push(closer);
                }
            }
        }
        if !writes.is_empty() {
            let committed = self.commit(&mut writes).await;
            for write in writes {
                write.settle(&committed);
            }
        }
    }

    async fn count_foreign(&mut self) -> Result<u64, Failure> {
        let version = match self.connection().await {
            Ok(conn) => data_version(conn).await,
            Err(error) => Err(error),
        };
        match version {
            Ok(version) => Ok(self.foreign.notice(version)),
            Err(error) => Err(self.fail(error)),
        }
    }

    async fn list(&mut self, filter: &RunFilter) -> Result<Vec<RunRow>, JournalError> {
        match self.connection().await {
            Ok(conn) => runs::rows(&mut Conn::<Sqlite>::new(conn), filter).await,
            Err(error) => Err(failed_to("list runs".to_owned(), error)),
        }
    }

    async fn commit(&mut self, writes: &mut [Write]) -> Result<(), Failure> {
        let done = match self.connection().await {
            Ok(conn) => transact(conn, writes).await,
            Err(error) => Err(error),
        };
        done.map_err(|error| self.fail(error))
    }

    async fn connection(&mut self) -> sqlx::Result<&mut SqliteConnection> {
        let conn = match self.conn.take() {
            Some(conn) => conn,
            None if self.file.is_in_place() => self.reconnect.connect().await?,
            None => return Err(sqlx::Error::Io(io::ErrorKind::NotFound.into())),
        };
        Ok(self.conn.insert(conn))
    }

    /// Drops the connection, which rolls back what is open. Changes of others may be missed meanwhile, so one is assumed.
    fn fail(&mut self, error: sqlx::Error) -> Failure {
        // Who asked says so, once; a line per try would fill the disk that is full.
        tracing::debug!(%error, "the journal's writer failed");
        drop(mem::take(&mut self.conn));
        self.foreign.version = None;
        error.into()
    }
}

/// Carries out `writes` in one transaction: first the appends, then the rest, each in their order; all were asked for at
/// the same time. The caller drops the connection on an error.
async fn transact(conn: &mut SqliteConnection, writes: &mut [Write]) -> sqlx::Result<()> {
    let appends = || writes.iter().filter_map(Write::as_append);
    let blobs = || appends().flat_map(|append| &append.blobs);
    // Few bytes go with their events: one wait for the disk instead of two.
    if blobs().map(|blob| blob.bytes.len()).sum::<usize>() > PIECE {
        blobs::write_ahead(conn, blobs()).await?;
    }
    let wanted = Wanted::of(appends());
    let mut appends = Appends::begin(&mut Conn::new(conn), &wanted).await?;
    for write in writes.iter_mut() {
        write.append(&mut Conn::new(conn), &mut appends).await?;
    }
    appends.flush(conn).await?;
    for write in writes {
        write.carry_out(&mut Conn::new(conn)).await?;
    }
    sqlx::query("COMMIT").execute(conn).await?;
    Ok(())
}

async fn data_version(conn: &mut SqliteConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar("PRAGMA data_version").fetch_one(conn).await
}
