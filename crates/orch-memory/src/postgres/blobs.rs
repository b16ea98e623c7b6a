//! Blobs: bytes by hash, in pieces, written once, before the append that names them.

use orch_core::Digest;
use orch_core::journal::{Blob, JournalError};
use sqlx::PgPool;

use crate::error::failed_to;
use crate::pieces::{pieces, whole};

/// Writes those of `blobs` that are not there yet, each piece in a transaction of its own.
///
/// Nobody waits for the disk: the server writes its log in order, so the commit of the append that names a blob makes what
/// was committed before it durable, too.
pub(super) async fn write(pool: &PgPool, blobs: &[Blob]) -> sqlx::Result<()> {
    for blob in blobs {
        let hash = blob.name.hash.to_string();
        if exists(pool, &hash).await? {
            continue;
        }
        for (piece, bytes) in pieces(blob) {
            // Another process may be writing the same blob, or have died while it did.
            sqlx::query(
                "WITH unhurried AS (SELECT set_config('synchronous_commit', 'off', true)) \
                 INSERT INTO orch_blobs (hash, piece, bytes) SELECT $1, $2, $3 FROM unhurried \
                 ON CONFLICT DO NOTHING",
            )
            .bind(&hash)
            .bind(piece)
            .bind(bytes)
            .execute(pool)
            .await?;
        }
    }
    Ok(())
}

async fn exists(pool: &PgPool, hash: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM orch_blobs WHERE hash = $1 AND piece = 0)")
        .bind(hash)
        .fetch_one(pool)
        .await
}

/// Reads the blob named `hash` and checks its bytes against the name; `None` when there is no such blob.
pub(super) async fn read(pool: &PgPool, hash: Digest) -> Result<Option<Vec<u8>>, JournalError> {
    let pieces: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT bytes FROM orch_blobs WHERE hash = $1 ORDER BY piece")
            .bind(hash.to_string())
            .fetch_all(pool)
            .await
            .map_err(|source| failed_to(format!("read blob {hash}"), source))?;
    whole(hash, &pieces)
}
