//! Blobs: bytes by hash, in pieces, written once.

use orch_core::Digest;
use orch_core::journal::{Blob, JournalError};
use sqlx::{SqliteConnection, SqlitePool};

use super::error::failed_to;

/// The size of a piece, and about how much one transaction of blobs writes.
pub(super) const PIECE: usize = 1 << 20;

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

/// The pieces with their numbers, the first last: see the schema. An empty blob has one empty piece.
fn pieces(blob: &Blob) -> impl Iterator<Item = (i64, &[u8])> {
    let count = blob.bytes.len().div_ceil(PIECE).max(1);
    (0..count).rev().map(move |piece| {
        let from = piece * PIECE;
        let to = (from + PIECE).min(blob.bytes.len());
        (i64::try_from(piece).expect("a slice has fewer than 2^63 bytes"), &blob.bytes[from..to])
    })
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
    if pieces.is_empty() {
        return Ok(None);
    }
    let bytes = pieces.concat();
    if Digest::of_bytes(&bytes) != hash {
        return Err(JournalError::Corrupt {
            what: format!("blob {name}"),
            reason: "its bytes do not match its name".to_owned(),
        });
    }
    Ok(Some(bytes))
}
