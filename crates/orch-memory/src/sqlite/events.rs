//! Writing the rows of events, many at a time.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use orch_core::{RunId, VOCABULARY_VERSION};
use sqlx::{AssertSqlSafe, SqliteConnection};

use crate::prepared::EventRow;

/// The row counts for which there is a statement. Every execution costs a change of threads, some 10 microseconds, while a
/// row costs about one; so a statement takes up to 256 rows, and may be sent with fewer than it has room for.
const SIZES: [usize; 5] = [1, 4, 16, 64, 256];

static STATEMENTS: LazyLock<[Arc<str>; SIZES.len()]> = LazyLock::new(|| SIZES.map(statement));

/// One statement that inserts up to `size` rows; parameters that were not bound are null, and such rows are left out.
fn statement(size: usize) -> Arc<str> {
    let rows = vec!["(?,?,?,?,?,?)"; size].join(",");
    format!(
        "INSERT INTO orch_events (run, seq, version, at, body, blob, digest) \
         SELECT column1, column2, {VOCABULARY_VERSION}, column3, column4, column5, column6 \
         FROM (VALUES {rows}) WHERE column1 IS NOT NULL"
    )
    .into()
}

/// Inserts `events`; `rows` has the rows of their runs.
pub(super) async fn insert(
    conn: &mut SqliteConnection,
    events: Vec<EventRow>,
    rows: &HashMap<RunId, i64>,
) -> sqlx::Result<()> {
    let mut events = events.into_iter();
    while events.len() > 0 {
        let fitting = SIZES.iter().position(|size| *size >= events.len());
        let fitting = fitting.unwrap_or(SIZES.len() - 1);
        // The text is made of constants only.
        let mut query = sqlx::query(AssertSqlSafe(STATEMENTS[fitting].clone()));
        for event in events.by_ref().take(SIZES[fitting]) {
            let run = *rows.get(&event.run).ok_or(sqlx::Error::RowNotFound)?;
            let blob = event.blob.map(|hash| hash.to_string());
            query = query.bind(run).bind(event.seq).bind(event.at).bind(event.body).bind(blob);
            query = query.bind(event.digest.to_vec());
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
}
