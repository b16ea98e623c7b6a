//! Learned memory in a SQLite file: the journal's, or another. One connection writes; a pool of readers reads beside it.

use std::path::Path;
use std::sync::Arc;

use sqlx::Connection;
use sqlx::sqlite::SqlitePoolOptions;

use super::error::OpenError;
use super::open;
use super::options::SqliteOptions;
use crate::learned::Store;
use crate::tables::Tables;

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
    Ok(Arc::new(Tables { writers, readers: connections.readers }))
}
