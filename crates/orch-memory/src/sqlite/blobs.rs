//! Writing blobs with the one connection that writes.

use orch_core::journal::Blob;
use sqlx::{Sqlite, SqliteConnection};

use crate::journal::pieces::{PIECE, pieces};
use crate::journal::{blob_exists, write_piece};
use crate::sql::{Conn, sql};

/// Writes those of `blobs` that are not there yet, in transactions of their own of about one piece each, so that another
/// process never waits long for the file.
pub(super) async fn write_ahead(
    conn: &mut SqliteConnection,
    blobs: impl Iterator<Item = &Blob>,
) -> sqlx::Result<()> {
    let conn = &mut Conn::<Sqlite>::new(conn);
    let mut open = 0;
    for blob in blobs {
        if blob_exists(conn, blob.name.hash).await? {
            continue;
        }
        for piece in pieces(blob) {
            if open == 0 {
                sql("BEGIN IMMEDIATE").execute(conn).await?;
            }
            open += piece.1.len().max(1);
            write_piece(conn, blob.name.hash, piece).await?;
            if open >= PIECE {
                sql("COMMIT").execute(conn).await?;
                open = 0;
            }
        }
    }
    if open > 0 {
        sql("COMMIT").execute(conn).await?;
    }
    Ok(())
}

/// Writes `blob`, unless it is there, within the transaction of the caller.
pub(super) async fn write(conn: &mut Conn<'_, Sqlite>, blob: &Blob) -> sqlx::Result<()> {
    if blob_exists(conn, blob.name.hash).await? {
        return Ok(());
    }
    for piece in pieces(blob) {
        write_piece(conn, blob.name.hash, piece).await?;
    }
    Ok(())
}
