//! Reading the journal through a pool of connections.

use orch_core::journal::JournalError;
use sqlx::Pool;
use sqlx::pool::PoolConnection;

use crate::error::failed_to;
use crate::sql::Dialect;

/// Reads the tables of the journal; the methods stand with their tables.
#[derive(Debug, Clone)]
pub(crate) struct Reader<D: Dialect> {
    pool: Pool<D>,
}

impl<D: Dialect> Reader<D> {
    pub(crate) fn new(pool: Pool<D>) -> Self {
        Self { pool }
    }

    /// Returns a connection; `doing` says for what.
    pub(super) async fn connection(
        &self,
        doing: impl FnOnce() -> String,
    ) -> Result<PoolConnection<D>, JournalError> {
        self.pool.acquire().await.map_err(|source| failed_to(doing(), source))
    }

    pub(crate) fn pool(&self) -> &Pool<D> {
        &self.pool
    }
}
