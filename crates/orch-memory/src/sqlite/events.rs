//! The rows of events: written many at a time, read in pages.

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use orch_core::journal::{JournalError, Recorded};
use orch_core::{Digest, RunId, Seq, VOCABULARY_VERSION};
use sqlx::{AssertSqlSafe, SqliteConnection, SqlitePool};

use super::blobs;
use super::error::failed_to;
use crate::codec;

/// An event as it is stored.
pub(super) struct EventRow {
    pub(super) run: Arc<str>,
    pub(super) seq: i64,
    /// Microseconds since 1970.
    pub(super) at: i64,
    pub(super) body: String,
    /// Where the event is when it is large; `body` then has its type only.
    pub(super) blob: Option<Digest>,
}

/// The row counts for which there is a statement. Every execution costs a change of threads, some 10 microseconds, while a
/// row costs about one; so a statement takes up to 256 rows, and may be sent with fewer than it has room for.
const SIZES: [usize; 5] = [1, 4, 16, 64, 256];

static STATEMENTS: LazyLock<[Arc<str>; SIZES.len()]> = LazyLock::new(|| SIZES.map(statement));

/// One statement that inserts up to `size` rows; parameters that were not bound are null, and such rows are left out.
fn statement(size: usize) -> Arc<str> {
    let rows = vec!["(?,?,?,?,?)"; size].join(",");
    format!(
        "INSERT INTO orch_events (run, seq, version, at, body, blob) \
         SELECT column1, column2, {VOCABULARY_VERSION}, column3, column4, column5 \
         FROM (VALUES {rows}) WHERE column1 IS NOT NULL"
    )
    .into()
}

/// Inserts `rows`, of whatever runs.
pub(super) async fn insert(conn: &mut SqliteConnection, rows: Vec<EventRow>) -> sqlx::Result<()> {
    let mut rows = rows.into_iter();
    while rows.len() > 0 {
        let fitting = SIZES.iter().position(|size| *size >= rows.len()).unwrap_or(SIZES.len() - 1);
        // The text is made of constants only.
        let mut query = sqlx::query(AssertSqlSafe(STATEMENTS[fitting].clone()));
        for row in rows.by_ref().take(SIZES[fitting]) {
            let blob = row.blob.map(|hash| hash.to_string());
            query = query.bind(row.run).bind(row.seq).bind(row.at).bind(row.body).bind(blob);
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

/// How many rows are read at a time: enough to make the query itself cheap, few enough that no read transaction stays open
/// for long.
const PAGE: i64 = 1_024;

#[derive(sqlx::FromRow)]
struct StoredRow {
    seq: i64,
    version: i64,
    at: i64,
    body: Vec<u8>,
    blob: Option<String>,
}

/// Loads the events of `run` after `after`.
pub(super) async fn load(
    pool: &SqlitePool,
    run: RunId,
    after: Seq,
) -> Result<Vec<Recorded>, JournalError> {
    let name = run.to_string();
    let mut events = Vec::new();
    let mut last = after.0.cast_signed();
    loop {
        let page: Vec<StoredRow> = sqlx::query_as(
            "SELECT seq, version, at, CAST(body AS BLOB) AS body, blob FROM orch_events \
             WHERE run = ? AND seq > ? ORDER BY seq LIMIT ?",
        )
        .bind(&name)
        .bind(last)
        .bind(PAGE)
        .fetch_all(pool)
        .await
        .map_err(|source| failed_to(format!("load run {name}"), source))?;
        let full = page.len() == usize::try_from(PAGE).expect("a page is small");
        for row in page {
            last = row.seq;
            events.push(read(pool, &name, row).await?);
        }
        if !full {
            return Ok(events);
        }
    }
}

async fn read(pool: &SqlitePool, run: &str, row: StoredRow) -> Result<Recorded, JournalError> {
    let seq = Seq(row.seq.cast_unsigned());
    let corrupt = |reason: String| JournalError::Corrupt {
        what: format!("event {seq} of run {run}"),
        reason,
    };
    let body = match &row.blob {
        None => row.body,
        Some(hash) => {
            let hash: Digest =
                hash.parse().map_err(|_| corrupt(format!("`{hash}` names no blob")))?;
            let bytes = blobs::read(pool, hash).await?;
            bytes.ok_or_else(|| corrupt(format!("its blob {hash} is missing")))?
        }
    };
    let at = Timestamp::from_microsecond(row.at).map_err(|error| corrupt(error.to_string()))?;
    let event = codec::decode(row.version, &body).map_err(|error| corrupt(error.to_string()))?;
    Ok(Recorded { seq, at, event })
}
