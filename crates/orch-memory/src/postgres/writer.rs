//! The one task that appends: group commit over runs.
//!
//! ```text
//! requests --> take all that has gathered --> one transaction --> answers
//! ```
//! While a commit waits for the server, the next appends gather, and share the next commit. When the server refuses
//! something before the commit, nothing was written, and each append is tried alone: one that cannot be stored, or that a
//! deadlock has hit, takes no other with it. When the commit itself fails, nobody knows, and all are told so.

use std::time::Duration;

use orch_core::journal::AppendError;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};
use tokio::sync::{mpsc, oneshot};

use super::append;
use super::store::{Store, is_read_only};
use super::tail::CHANNEL;
use crate::error::Failure;
use crate::prepared::Prepared;

/// How many requests may wait before those who ask must.
const WAITING: usize = 1_024;
/// How many appends share a transaction at most.
const TOGETHER: usize = 256;

/// A server that does not answer for so long is taken to be gone, even if the connection looks alive.
const ANSWER: Duration = Duration::from_secs(60);

/// A message to the writer.
pub(super) enum Request {
    /// Append a turn.
    Append(Box<Prepared>, Answer),
    /// Finish what was asked for before, close the connection, then answer.
    Close(oneshot::Sender<()>),
}

type Answer = oneshot::Sender<Result<(), AppendError>>;

/// The state of the writing task.
pub(super) struct Writer {
    requests: mpsc::Receiver<Request>,
    /// `None` after a failure, until the next use: a fresh connection has no half-done transaction.
    conn: Option<PgConnection>,
    store: Store,
    /// Tells all who listen, and commits.
    commit: String,
    closers: Vec<oneshot::Sender<()>>,
}

impl Writer {
    /// Starts the task on the current tokio runtime; it ends when all senders are gone or it is asked to close.
    pub(super) fn start(conn: PgConnection, store: Store, name: &str) -> mpsc::Sender<Request> {
        let (sender, requests) = mpsc::channel(WAITING);
        let commit = format!("NOTIFY {CHANNEL}, '{name}'; COMMIT");
        let writer = Self { requests, conn: Some(conn), store, commit, closers: Vec::new() };
        tokio::spawn(writer.run());
        sender
    }

    async fn run(mut self) {
        let mut gathered = Vec::with_capacity(TOGETHER);
        while self.requests.recv_many(&mut gathered, TOGETHER).await > 0 {
            self.serve(&mut gathered).await;
        }
        if let Some(conn) = self.conn.take() {
            conn.close().await.ok();
        }
        for closer in self.closers {
            closer.send(()).ok();
        }
    }

    async fn serve(&mut self, gathered: &mut Vec<Request>) {
        let (mut appends, mut answers) = (Vec::new(), Vec::new());
        for request in gathered.drain(..) {
            match request {
                Request::Append(append, answer) => {
                    appends.push(*append);
                    answers.push(answer);
                }
                Request::Close(closer) => {
                    // What is in the channel is still served, nothing more gets in.
                    self.requests.close();
                    self.closers.push(closer);
                }
            }
        }
        let outcomes = self.append_all(&mut appends).await;
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            answer.send(outcome).ok();
        }
    }

    async fn append_all(&mut self, appends: &mut [Prepared]) -> Vec<Result<(), AppendError>> {
        match self.answered(appends).await {
            Ok(outcomes) => outcomes,
            Err(Failed::Refused(_)) => {
                let mut outcomes = Vec::with_capacity(appends.len());
                for alone in appends.chunks_mut(1) {
                    let outcome = self.answered(alone).await;
                    outcomes.extend(outcome.unwrap_or_else(|failed| failed.of_all(alone)));
                }
                outcomes
            }
            Err(failed) => failed.of_all(appends),
        }
    }

    async fn answered(
        &mut self,
        appends: &mut [Prepared],
    ) -> Result<Vec<Result<(), AppendError>>, Failed> {
        // A transaction that is stopped half-way has dropped the connection.
        let outcomes = tokio::time::timeout(ANSWER, self.transact(appends)).await;
        outcomes.unwrap_or_else(|_| {
            Err(Failed::unknown(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
        })
    }

    /// Carries out `appends` in one transaction.
    async fn transact(
        &mut self,
        appends: &mut [Prepared],
    ) -> Result<Vec<Result<(), AppendError>>, Failed> {
        if appends.is_empty() {
            return Ok(Vec::new());
        }
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => self.store.connect().await.map_err(Failed::unknown)?,
        };
        match append::append(&mut conn, appends).await {
            Ok(outcomes) => {
                // The text is made of constants and a name that the server gave.
                conn.execute(AssertSqlSafe(self.commit.clone())).await.map_err(Failed::unknown)?;
                self.conn = Some(conn);
                Ok(outcomes)
            }
            // A session keeps its settings: whether the database accepts writes again, only a new one finds out.
            Err(error) if is_read_only(&error) => Err(Failed::unknown(error)),
            Err(error) if error.as_database_error().is_some() => {
                if conn.execute("ROLLBACK").await.is_ok() {
                    self.conn = Some(conn);
                }
                Err(Failed::refused(error))
            }
            Err(error) => Err(Failed::unknown(error)),
        }
    }
}

/// Why a transaction failed.
enum Failed {
    /// The server refused something: nothing was written.
    Refused(Failure),
    /// Perhaps it was committed, and it is no use to try each append alone.
    Unknown(Failure),
}

impl Failed {
    fn refused(error: sqlx::Error) -> Self {
        tracing::debug!(%error, "the database refused an append");
        Self::Refused(error.into())
    }

    fn unknown(error: sqlx::Error) -> Self {
        tracing::debug!(%error, "the journal's writer failed");
        Self::Unknown(error.into())
    }

    /// The same answer for each of `appends`.
    fn of_all(self, appends: &[Prepared]) -> Vec<Result<(), AppendError>> {
        let (Self::Refused(failure) | Self::Unknown(failure)) = self;
        let refusal = |append: &Prepared| AppendError::Store {
            run: append.run(),
            source: Box::new(failure.clone()),
        };
        appends.iter().map(|append| Err(refusal(append))).collect()
    }
}
