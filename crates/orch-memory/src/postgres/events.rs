//! Writing the rows of events, all at once.

use std::collections::HashMap;

use orch_core::{RunId, VOCABULARY_VERSION};
use sqlx::postgres::PgConnection;

use crate::prepared::EventRow;

/// Inserts `events`; `rows` has the rows of their runs.
pub(super) async fn insert(
    conn: &mut PgConnection,
    events: &[&EventRow],
    rows: &HashMap<RunId, i64>,
) -> sqlx::Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let runs: Vec<Option<i64>> = events.iter().map(|row| rows.get(&row.run).copied()).collect();
    let bodies: Vec<&str> = events.iter().map(|row| row.body.as_str()).collect();
    let blobs: Vec<Option<String>> =
        events.iter().map(|row| row.blob.map(|hash| hash.to_string())).collect();
    let digests: Vec<&[u8]> = events.iter().map(|row| row.digest.as_slice()).collect();
    sqlx::query(
        "INSERT INTO orch_events (run, seq, version, at, body, blob, digest) \
         SELECT e.run, e.seq, $7, e.at, e.body, e.blob, e.digest \
         FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bytea[]) \
         AS e (run, seq, at, body, blob, digest)",
    )
    .bind(runs)
    .bind(events.iter().map(|row| row.seq).collect::<Vec<_>>())
    .bind(events.iter().map(|row| row.at).collect::<Vec<_>>())
    .bind(bodies)
    .bind(blobs)
    .bind(digests)
    .bind(i64::from(VOCABULARY_VERSION))
    .execute(conn)
    .await?;
    Ok(())
}
