//! One append: encoded by who asks, checked and written by the writer.

use std::sync::Arc;

use orch_core::journal::{Append, AppendError, Blob, Recorded, RunHead, RunSummary};
use orch_core::{BoxError, Epoch, LockName, RunId, RunPhase, Seq};
use sqlx::{Row, SqliteConnection};

use super::events::{self, EventRow};
use super::{blobs, locks};
use crate::codec;

/// An event whose JSON is longer than this many bytes is kept as a blob.
const INLINE: usize = 16 << 10;

/// An append in the form in which it is stored: made outside the writer, which then has less to do.
pub(super) struct Prepared {
    head: Arc<RunHead>,
    expected: Seq,
    epoch: Option<Epoch>,
    last: Seq,
    updated_at: i64,
    summary: RunSummary,
    counts: String,
    rows: Vec<EventRow>,
    blobs: Vec<Blob>,
    take: Vec<LockName>,
    free: Vec<LockName>,
}

/// Why an append makes no sense, whatever is in the store.
#[derive(Debug, thiserror::Error)]
#[error("event {found} stands where {expected} was expected")]
struct Misnumbered {
    expected: Seq,
    found: Seq,
}

impl Prepared {
    /// Encodes `append`.
    ///
    /// # Errors
    /// When an event has no JSON form or the events are not numbered in sequence; nothing was written.
    pub(super) fn new(append: Append) -> Result<Self, AppendError> {
        let run = append.head.run;
        let refuse = |source| AppendError::Store { run, source };
        let mut blobs = append.blobs;
        let mut rows = Vec::with_capacity(append.events.len());
        let mut last = append.expected;
        for recorded in append.events.iter() {
            last = last.next();
            if recorded.seq != last {
                return Err(refuse(Box::new(Misnumbered { expected: last, found: recorded.seq })));
            }
            rows.push(encode(recorded, &mut blobs).map_err(refuse)?);
        }
        Ok(Self {
            updated_at: rows.last().map_or(0, |row| row.at),
            counts: serde_json::to_string(&append.summary.counts)
                .map_err(|error| refuse(error.into()))?,
            head: append.head,
            expected: append.expected,
            epoch: append.epoch,
            last,
            summary: append.summary,
            rows,
            blobs,
            take: append.take,
            free: append.free,
        })
    }

    pub(super) fn run(&self) -> RunId {
        self.head.run
    }

    pub(super) fn blobs(&self) -> &[Blob] {
        &self.blobs
    }
}

/// Encodes an event; a large one goes to `blobs` and leaves its type and the blob's name.
fn encode(recorded: &Recorded, blobs: &mut Vec<Blob>) -> Result<EventRow, BoxError> {
    let seq = recorded.seq.0.cast_signed();
    let at = recorded.at.as_microsecond();
    let body = codec::encode(&recorded.event)?;
    if body.len() <= INLINE {
        return Ok(EventRow { seq, at, body, blob: None });
    }
    let blob = Blob::new(body.into_bytes());
    let hash = blob.name.hash;
    blobs.push(blob);
    let body = format!(r#"{{"type":"{}"}}"#, recorded.event.name());
    Ok(EventRow { seq, at, body, blob: Some(hash) })
}

/// Checks and writes `append` within the open transaction.
pub(super) async fn append(
    conn: &mut SqliteConnection,
    append: &Prepared,
) -> sqlx::Result<Result<(), AppendError>> {
    let refused = check(conn, append).await?;
    if let Some(refusal) = refused {
        return Ok(Err(refusal));
    }
    if !append.rows.is_empty() {
        write(conn, append).await?;
    }
    Ok(Ok(()))
}

/// Finds out why `append` must not be written, in the order in which the errors help: a writer without ownership has to
/// stop, one that is behind has to catch up, and only who is up to date can do something about locks and requests.
async fn check(
    conn: &mut SqliteConnection,
    append: &Prepared,
) -> sqlx::Result<Option<AppendError>> {
    let run = append.run();
    let (actual, epoch) = sqlx::query("SELECT seq, epoch FROM orch_runs WHERE run = ?")
        .bind(run.to_string())
        .fetch_optional(&mut *conn)
        .await?
        .map_or(Ok((0, 0)), |row| Ok::<_, sqlx::Error>((row.try_get(0)?, row.try_get(1)?)))?;
    let (actual, epoch) = (Seq(i64::cast_unsigned(actual)), Epoch(i64::cast_unsigned(epoch)));
    if let Some(mine) = append.epoch
        && mine != epoch
    {
        return Ok(Some(AppendError::Fenced { run, epoch: mine, actual: epoch }));
    }
    if actual != append.expected {
        return Ok(Some(AppendError::Conflict { run, expected: append.expected, actual }));
    }
    if let Some((lock, holder)) =
        locks::held(conn, run, &append.head.project, &append.take, &append.free).await?
    {
        return Ok(Some(AppendError::LockHeld { run, lock, holder }));
    }
    taken(conn, append).await
}

async fn taken(
    conn: &mut SqliteConnection,
    append: &Prepared,
) -> sqlx::Result<Option<AppendError>> {
    let Some(key) = append.head.request_key.as_ref().filter(|_| append.expected == Seq(0)) else {
        return Ok(None);
    };
    let existing: Option<String> =
        sqlx::query_scalar("SELECT run FROM orch_runs WHERE project = ? AND request_key = ?")
            .bind(append.head.project.as_str())
            .bind(key.as_str())
            .fetch_optional(conn)
            .await?;
    let Some(existing) = existing else { return Ok(None) };
    let existing = existing.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(Some(AppendError::RequestTaken { run: append.run(), key: key.clone(), existing }))
}

async fn write(conn: &mut SqliteConnection, append: &Prepared) -> sqlx::Result<()> {
    let run: Arc<str> = append.run().to_string().into();
    if append.expected == Seq(0) {
        insert_run(conn, &run, append).await?;
    } else {
        update_run(conn, &run, append).await?;
    }
    for blob in &append.blobs {
        blobs::write(conn, blob).await?;
    }
    events::insert(conn, &run, &append.rows).await?;
    locks::free(conn, &run, &append.head.project, &append.free).await?;
    locks::take(conn, &run, &append.head.project, &append.take).await?;
    if append.summary.phase == RunPhase::Ended {
        clear_ended(conn, &run).await?;
    }
    Ok(())
}

async fn insert_run(conn: &mut SqliteConnection, run: &str, append: &Prepared) -> sqlx::Result<()> {
    let head = &append.head;
    sqlx::query(
        "INSERT INTO orch_runs (run, project, task_id, task_type, description, request_key, \
         phase, end_status, counts, seq, created_at, updated_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(run)
    .bind(head.project.as_str())
    .bind(head.task_id.as_str())
    .bind(&head.task_type)
    .bind(&head.description)
    .bind(head.request_key.as_ref().map(|key| key.as_str()))
    .bind(append.summary.phase.as_str())
    .bind(append.summary.end.map(|end| end.as_str()))
    .bind(&append.counts)
    .bind(append.last.0.cast_signed())
    .bind(head.created_at.as_microsecond())
    .bind(append.updated_at)
    .execute(conn)
    .await?;
    Ok(())
}

async fn update_run(conn: &mut SqliteConnection, run: &str, append: &Prepared) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE orch_runs SET phase = ?, end_status = ?, counts = ?, seq = ?, updated_at = ? \
         WHERE run = ?",
    )
    .bind(append.summary.phase.as_str())
    .bind(append.summary.end.map(|end| end.as_str()))
    .bind(&append.counts)
    .bind(append.last.0.cast_signed())
    .bind(append.updated_at)
    .bind(run)
    .execute(conn)
    .await?;
    Ok(())
}

/// An ended run owns nothing and nobody owns it.
async fn clear_ended(conn: &mut SqliteConnection, run: &str) -> sqlx::Result<()> {
    for statement in [
        "UPDATE orch_runs SET owner = NULL WHERE run = ?",
        "DELETE FROM orch_locks WHERE run = ?",
        "DELETE FROM orch_processes WHERE run = ?",
    ] {
        sqlx::query(statement).bind(run).execute(&mut *conn).await?;
    }
    Ok(())
}
