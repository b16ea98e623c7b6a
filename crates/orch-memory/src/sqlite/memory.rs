//! Learned memory in a SQLite file: the journal's, or another. One connection writes; a pool of readers reads beside it.

#[path = "../tables/mod.rs"]
mod tables;

use std::path::Path;
use std::sync::Arc;

use sqlx::sqlite::{SqliteConnection, SqlitePool, SqlitePoolOptions};
use sqlx::{Sqlite, Transaction};

use super::error::OpenError;
use super::open;
use super::options::SqliteOptions;
use crate::learned::Store;

type Db = Sqlite;
type Conn = SqliteConnection;
type Pool = SqlitePool;

/// The summaries of all workers, those of a type in one row: a row for each would cost ten times as much.
const SUMMARIES: &str = "SELECT task_type, '{' || string_agg(json_quote(worker) || ':' || summary, ',') || '}' \
     FROM orch_worker_stats WHERE project = $1 AND summary <> 'null' GROUP BY task_type";

const VACUUM: [&str; 2] = ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"];

/// Opens the file at `path`; creates it unless it is only to be read.
pub(crate) async fn open_memory(
    path: &Path,
    options: &SqliteOptions,
) -> Result<Arc<dyn Store>, OpenError> {
    let connections = open::open(path, options, &open::MEMORY).await?;
    let writers = SqlitePoolOptions::new()
        .max_connections(1)
        // The connection is to a file: it does not grow stale.
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(connections.reconnect);
    Ok(Arc::new(tables::Tables { writers, readers: connections.readers }))
}

/// Begins to read everything as it is at one moment.
async fn begin_read(pool: &Pool) -> sqlx::Result<Transaction<'static, Db>> {
    pool.begin().await
}

/// Begins to write, with the lock on the file.
async fn begin_write(pool: &Pool) -> sqlx::Result<Transaction<'static, Db>> {
    pool.begin_with("BEGIN IMMEDIATE").await
}
