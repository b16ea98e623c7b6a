//! The table `orch_store`: one row, which store this is.

use orch_core::BoxError;
use sqlx::sqlite::SqliteConnection;

use crate::store_id::StoreId;

/// Returns the id of the store; gives it one if it has none. Of several processes that do so at once one wins.
pub(super) async fn ensure(conn: &mut SqliteConnection) -> Result<StoreId, BoxError> {
    if let Some(id) = stored(conn).await? {
        return Ok(id);
    }
    sqlx::query("INSERT INTO orch_store (place, id) VALUES (1, ?) ON CONFLICT DO NOTHING")
        .bind(StoreId::draw().to_string())
        .execute(&mut *conn)
        .await?;
    stored(conn).await?.ok_or_else(|| "the table orch_store lost its row".into())
}

/// Returns the id of the store by reading only; `None` for a store of an older version of orch, which had no ids.
pub(super) async fn read(conn: &mut SqliteConnection) -> Result<Option<StoreId>, BoxError> {
    let exists: Option<i64> = sqlx::query_scalar(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'orch_store'",
    )
    .fetch_optional(&mut *conn)
    .await?;
    match exists {
        Some(_) => stored(conn).await,
        None => Ok(None),
    }
}

async fn stored(conn: &mut SqliteConnection) -> Result<Option<StoreId>, BoxError> {
    let id: Option<String> =
        sqlx::query_scalar("SELECT id FROM orch_store").fetch_optional(conn).await?;
    Ok(id.map(|id| id.parse()).transpose()?)
}
