//! Blobs in pieces, the same for every database.

use orch_core::Digest;
use orch_core::journal::{Blob, JournalError};

/// The size of a piece in bytes; the last may be shorter.
pub(crate) const PIECE: usize = 1 << 20;

/// The pieces with their numbers, the first last: see the schema. An empty blob has one empty piece.
pub(crate) fn pieces(blob: &Blob) -> impl Iterator<Item = (i64, &[u8])> {
    let count = blob.bytes.len().div_ceil(PIECE).max(1);
    (0..count).rev().map(move |piece| {
        let from = piece * PIECE;
        let to = (from + PIECE).min(blob.bytes.len());
        (i64::try_from(piece).expect("a slice has fewer than 2^63 bytes"), &blob.bytes[from..to])
    })
}

/// Puts together the blob named `hash` and checks its bytes against the name; `None` when there are no pieces.
pub(crate) fn whole(hash: Digest, pieces: &[Vec<u8>]) -> Result<Option<Vec<u8>>, JournalError> {
    if pieces.is_empty() {
        return Ok(None);
    }
    let bytes = pieces.concat();
    if Digest::of_bytes(&bytes) != hash {
        return Err(JournalError::Corrupt {
            what: format!("blob {hash}"),
            reason: "its bytes do not match its name".to_owned(),
        });
    }
    Ok(Some(bytes))
}
