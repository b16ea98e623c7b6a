//! Learned memory in a PostgreSQL database: the journal's, or another.

#[path = "../tables/mod.rs"]
mod tables;

use std::sync::Arc;

use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{Postgres, Transaction};

use super::open::{self, PostgresError};
use super::options::PostgresOptions;
use super::store::Store as Database;
use crate::learned::Store;

type Db = Postgres;
type Conn = PgConnection;
type Pool = PgPool;

/// The summaries of all workers, those of a type in one row.
const SUMMARIES: &str = "SELECT task_type, '{' || string_agg(to_json(worker)::text || ':' || summary, ',') || '}' \
     FROM orch_worker_stats WHERE project = $1 AND summary <> 'null' GROUP BY task_type";

const VACUUM: [&str; 1] = [
    "VACUUM (ANALYZE) orch_folded, orch_worker_stats, orch_task_stats, orch_past, orch_rulings, orch_untold",
];

/// Opens the database at `url`; makes the tables unless they are only to be read.
pub(crate) async fn open_memory(
    url: &str,
    options: &PostgresOptions,
) -> Result<Arc<dyn Store>, PostgresError> {
    let database = Database::new(url, options)?;
    // It has made sure that there are tables; the pool connects when it is used.
    open::open(&database, options, &open::MEMORY).await?;
    let pool = database.pool(options.connections.max(1));
    Ok(Arc::new(tables::Tables { writers: pool.clone(), readers: pool }))
}

/// Begins to read everything as it is at one moment.
async fn begin_read(pool: &Pool) -> sqlx::Result<Transaction<'static, Db>> {
    pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await
}

/// Begins to write. Writers wait for each other here, so that they cannot do so in a circle, and every statement sees what the one
/// before has committed.
async fn begin_write(pool: &Pool) -> sqlx::Result<Transaction<'static, Db>> {
    let mut transaction = pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('orch memory', 0))")
        .execute(&mut *transaction)
        .await?;
    Ok(transaction)
}
