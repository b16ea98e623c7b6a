//! Learned memory in a SQLite file: the journal's, or another. One connection writes; a pool of readers reads beside it.

#[path = "../tables/mod.rs"]
mod tables;

use std::path::Path;
use std::sync::Arc;

use sqlx::sqlite::{SqliteConnection, SqlitePool, SqlitePoolOptions};
use sqlx::{Connection, Sqlite, Transaction};

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
    let failed =
        |source: sqlx::Error| OpenError::Store { path: path.to_owned(), source: source.into() };
    let writers = SqlitePoolOptions::new()
        .max_connections(1)
        // The connection is to a file: it does not grow stale.
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        // The last connection that is closed tidies up the file, which one that has read nothing yet does not.
        .after_connect(|conn, _| {
            Box::pin(async move {
                sqlx::query("SELECT 1 FROM sqlite_master").fetch_optional(conn).await.map(drop)
            })
        })
        .connect_with(connections.reconnect)
        .await
        .map_err(failed)?;
    connections.writer.close().await.map_err(failed)?;
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
