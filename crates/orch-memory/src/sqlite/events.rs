//! The rows of events: written many at a time, read in pages.

use std::sync::{Arc, LazyLock};

use orch_core::journal::{JournalError, Recorded};
use orch_core::{RunId, Seq, VOCABULARY_VERSION};
use sqlx::{AssertSqlSafe, SqliteConnection, SqlitePool};

use super::blobs;
use crate::error::failed_to;
use crate::prepared::EventRow;
use crate::stored::{PAGE, StoredEvent};

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
        let page: Vec<StoredEvent> = sqlx::query_as(
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
            let blob = match row.blob(&name)? {
                Some(hash) => blobs::read(pool, hash).await?,
                None => None,
            };
            events.push(row.into_recorded(&name, blob)?);
        }
        if !full {
            return Ok(events);
        }
    }
}
