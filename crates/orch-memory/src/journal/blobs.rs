//! Blobs: bytes by hash, in pieces, written once.

use orch_core::journal::JournalError;
use orch_core::{BlobRef, Digest};

use super::Reader;
use super::pieces::whole;
use crate::error::failed_to;
use crate::sql::{Conn, Dialect, sql};

impl<D: Dialect> Reader<D> {
    /// Returns the bytes of a blob.
    pub(crate) async fn blob(&self, name: BlobRef) -> Result<Vec<u8>, JournalError> {
        let mut conn = self.connection(|| format!("read blob {}", name.hash)).await?;
        let blob = read(&mut Conn::from(&mut conn), name.hash).await?;
        blob.ok_or(JournalError::NoBlob(name))
    }
}

/// Tells whether all of a blob is there.
pub(crate) async fn blob_exists<D: Dialect>(
    conn: &mut Conn<'_, D>,
    hash: Digest,
) -> sqlx::Result<bool> {
    let query = sql("SELECT piece FROM orch_blobs WHERE hash = $1 AND piece = 0");
    let found: Option<i64> = query.bind(hash.to_string()).fetch_optional(conn).await?;
    Ok(found.is_some())
}

/// Writes a piece, unless it is there.
pub(crate) async fn write_piece<D: Dialect>(
    conn: &mut Conn<'_, D>,
    hash: Digest,
    (piece, bytes): (i64, &[u8]),
) -> sqlx::Result<()> {
    // Another process may be writing the same blob, or have died while it did.
    sql(D::INSERT_PIECE).bind(hash.to_string()).bind(piece).bind(bytes).execute(conn).await?;
    Ok(())
}

/// Reads the blob named `hash` and checks its bytes against the name; `None` when there is no such blob.
pub(super) async fn read<D: Dialect>(
    conn: &mut Conn<'_, D>,
    hash: Digest,
) -> Result<Option<Vec<u8>>, JournalError> {
    let query = sql("SELECT bytes FROM orch_blobs WHERE hash = $1 ORDER BY piece");
    let pieces: Vec<Vec<u8>> = query
        .bind(hash.to_string())
        .fetch_all(conn)
        .await
        .map_err(|source| failed_to(format!("read blob {hash}"), source))?;
    whole(hash, &pieces)
}
