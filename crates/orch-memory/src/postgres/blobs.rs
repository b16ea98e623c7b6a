//! Writing blobs before the append that names them.

use orch_core::journal::Blob;
use sqlx::PgPool;

use crate::journal::pieces::pieces;
use crate::journal::{blob_exists, write_piece};
use crate::sql::Conn;

/// Writes those of `blobs` that are not there yet, each piece in a transaction of its own.
pub(super) async fn write(pool: &PgPool, blobs: &[Blob]) -> sqlx::Result<()> {
    if blobs.is_empty() {
        return Ok(());
    }
    let mut conn = pool.acquire().await?;
    let conn = &mut Conn::from(&mut conn);
    for blob in blobs {
        if blob_exists(conn, blob.name.hash).await? {
            continue;
        }
        for piece in pieces(blob) {
            write_piece(conn, blob.name.hash, piece).await?;
        }
    }
    Ok(())
}
