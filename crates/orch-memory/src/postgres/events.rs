//! The rows of events: written all at once, read in pages.

use orch_core::journal::{JournalError, Recorded};
use orch_core::{RunId, Seq, VOCABULARY_VERSION};
use sqlx::PgPool;
use sqlx::postgres::PgConnection;

use super::blobs;
use crate::error::failed_to;
use crate::prepared::EventRow;
use crate::stored::{PAGE, StoredEvent};

/// Inserts `rows`, of whatever runs.
pub(super) async fn insert(conn: &mut PgConnection, rows: &[&EventRow]) -> sqlx::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let runs: Vec<&str> = rows.iter().map(|row| &*row.run).collect();
    let bodies: Vec<&str> = rows.iter().map(|row| row.body.as_str()).collect();
    let blobs: Vec<Option<String>> =
        rows.iter().map(|row| row.blob.map(|hash| hash.to_string())).collect();
    sqlx::query(
        "INSERT INTO orch_events (run, seq, version, at, body, blob) \
         SELECT e.run, e.seq, $6, e.at, e.body, e.blob FROM unnest($1::text[], $2::bigint[], \
         $3::bigint[], $4::text[], $5::text[]) AS e (run, seq, at, body, blob)",
    )
    .bind(runs)
    .bind(rows.iter().map(|row| row.seq).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.at).collect::<Vec<_>>())
    .bind(bodies)
    .bind(blobs)
    .bind(i64::from(VOCABULARY_VERSION))
    .execute(conn)
    .await?;
    Ok(())
}

/// Loads the events of `run` after `after`.
pub(super) async fn load(
    pool: &PgPool,
    run: RunId,
    after: Seq,
) -> Result<Vec<Recorded>, JournalError> {
    let name = run.to_string();
    let mut events = Vec::new();
    let mut last = after.0.cast_signed();
    loop {
        let page: Vec<StoredEvent> = sqlx::query_as(
            "SELECT seq, version, at, convert_to(body, 'UTF8') AS body, blob FROM orch_events \
             WHERE run = $1 AND seq > $2 ORDER BY seq LIMIT $3",
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
