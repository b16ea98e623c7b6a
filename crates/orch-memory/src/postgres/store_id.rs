//! The table `orch_store`: one row, which store this is.

use orch_core::BoxError;
use sqlx::postgres::PgConnection;

use crate::store_id::StoreId;

/// Returns the id of the store; gives it one if it has none. Of several processes that do so at once one wins.
pub(super) async fn ensure(conn: &mut PgConnection) -> Result<StoreId, BoxError> {
    if let Some(id) = stored(conn).await? {
        return Ok(id);
    }
    sqlx::query("INSERT INTO orch_store (place, id) VALUES (1, $1) ON CONFLICT DO NOTHING")
        .bind(StoreId::draw().to_string())
        .execute(&mut *conn)
        .await?;
    stored(conn).await?.ok_or_else(|| "the table orch_store lost its row".into())
}

/// Returns the id of the store by reading only; `None` for a store of an older version of orch, which had no ids.
pub(super) async fn read(conn: &mut PgConnection) -> Result<Option<StoreId>, BoxError> {
    let exists: bool = sqlx::query_scalar("SELECT to_regclass('orch_store') IS NOT NULL")
        .fetch_one(&mut *conn)
        .await?;
    if exists { stored(conn).await } else { Ok(None) }
}

async fn stored(conn: &mut PgConnection) -> Result<Option<StoreId>, BoxError> {
    let id: Option<String> =
        sqlx::query_scalar("SELECT id FROM orch_store").fetch_optional(conn).await?;
    Ok(id.map(|id| id.parse()).transpose()?)
}
