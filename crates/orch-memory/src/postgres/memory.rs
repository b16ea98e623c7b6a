//! Learned memory in a PostgreSQL database: the journal's, or another.

use std::sync::Arc;

use super::open::{self, PostgresError};
use super::options::PostgresOptions;
use super::store::Store as Database;
use crate::learned::Store;
use crate::tables::Tables;

/// Opens the database at `url`; makes the tables unless they are only to be read.
pub(crate) async fn open_memory(
    url: &str,
    options: &PostgresOptions,
) -> Result<Arc<dyn Store>, PostgresError> {
    let database = Database::new(url, options)?;
    // It has made sure that there are tables; the pool connects when it is used.
    open::open(&database, options, &open::MEMORY).await?;
    let pool = database.pool(options.connections.max(1));
    Ok(Arc::new(Tables { writers: pool.clone(), readers: pool }))
}
