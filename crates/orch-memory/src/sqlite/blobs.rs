//! Blobs: bytes by hash, in pieces, written once.

use orch_core::Digest;
use orch_core::journal::{Blob, JournalError};
use sqlx::{SqliteConnection, SqlitePool};

use crate::error::failed_to;
use crate::pieces::{PIECE, pieces, whole};

/// Writes those of `blobs` that are not there yet, in transactions of their own of about one piece each, so that another
/// process never waits long for the file.
pub(super) async fn write_ahead(
    conn: &mut SqliteConnection,
    blobs: impl Iterator<Item = &Blob>,
) -> sqlx::Result<()> {
    let mut open = 0;
    for blob in blobs {
        if exists(conn, blob.name.hash).await? {
            continue;
        }
        for piece in pieces(blob) {
            if open == 0 {
                sqlx::query("BEGIN IMMEDIATE").execute(&mut *conn).await?;
            }
            open += piece.1.len().max(1);
            write_piece(conn, blob.name.hash, piece).await?;
            if open >= PIECE {
                sqlx::query("COMMIT").execute(&mut *conn).await?;
                open = 0;
            }
        }
    }
    if open > 0 {
        sqlx::query("COMMIT").execute(&mut *conn).await?;
    }
    Ok(())
}

/// Writes `blob`, unless it is there, within the transaction of the caller.
pub(super) async fn write(conn: &mut SqliteConnection, blob: &Blob) -> sqlx::Result<()> {
    if exists(conn, blob.name.hash).await? {
        return Ok(());
    }
    for piece in pieces(blob) {
        write_piece(conn, blob.name.hash, piece).await?;
    }
    Ok(())
}

async fn exists(conn: &mut SqliteConnection, hash: Digest) -> sqlx::Result<bool> {
    let found: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM orch_blobs WHERE hash = ? AND piece = 0")
            .bind(hash.to_string())
            .fetch_optional(conn)
            .await?;
    Ok(found.is_some())
}

async fn write_piece(
    conn: &mut SqliteConnection,
    hash: Digest,
    (piece, bytes): (i64, &[u8]),
) -> sqlx::Result<()> {
    // Another process may be writing the same blob, or have died while it did.
    sqlx::query(
        "INSERT INTO orch_blobs (hash, piece, bytes) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(hash.to_string())
    .bind(piece)
    .bind(bytes)
    .execute(conn)
    .await?;
    Ok(())
}

/// Reads the blob named `hash` and checks its bytes against the name; `None` when there is no such blob.
pub(super) async fn read(pool: &SqlitePool, hash: Digest) -> Result<Option<Vec<u8>>, JournalError> {
    let name = hash.to_string();
    let pieces: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT bytes FROM orch_blobs WHERE hash = ? ORDER BY piece")
            .bind(&name)
            .fetch_all(pool)
            .await
            .map_err(|source| failed_to(format!("read blob {name}"), source))?;
    whole(hash, &pieces)
}
