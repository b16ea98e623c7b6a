//! The table `orch_store`: one row, which store this is. The first migration writes it.

use orch_core::BoxError;

use crate::sql::{Conn, Dialect, sql};
use crate::store_id::StoreId;

/// Returns the id of the store, by reading only.
pub(crate) async fn read_store_id<D: Dialect>(conn: &mut Conn<'_, D>) -> Result<StoreId, BoxError> {
    let id: Option<String> = sql("SELECT id FROM orch_store").fetch_optional(conn).await?;
    Ok(id.ok_or("the table orch_store has lost its row")?.parse()?)
}
