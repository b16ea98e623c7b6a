//! Which file a journal has open, and what became of it.
//!
//! Only `stat` looks at the path, and only SQLite opens the file: opening and closing it in another way in this process would drop the
//! locks that SQLite holds on it.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::OpenError;
use super::open;
use crate::store_id::StoreId;

/// What became of the file of a store while a journal had it open. What the journal writes now cannot be found at that place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreLost {
    /// There is no file any more.
    #[error("the store {} is gone: somebody has removed or moved it", .path.display())]
    Gone {
        /// Where it was.
        path: PathBuf,
    },
    /// There is another file of the same store. It may lack what was written after it was copied.
    #[error("the store {} was replaced by a copy of itself, which has the same id {id}", .path.display())]
    Copied {
        /// Where it was, and the copy is.
        path: PathBuf,
        /// The id of both.
        id: StoreId,
    },
    /// There is the file of another store.
    #[error("{} is another store now: its id is {found}, and that of the store that was there is {expected}", .path.display())]
    Other {
        /// Where it was, and the other is.
        path: PathBuf,
        /// The id of the store that was there.
        expected: StoreId,
        /// The id of the store that is there.
        found: StoreId,
    },
    /// There is another file, and no store can be read from it.
    #[error("{} is another file now, and not the store with the id {expected} that was there", .path.display())]
    NoStore {
        /// Where it was, and the other file is.
        path: PathBuf,
        /// The id of the store that was there.
        expected: StoreId,
    },
}

/// The file that a journal has open.
#[derive(Debug)]
pub(super) struct StoreFile {
    path: PathBuf,
    /// Which file it is, whatever its name; `None` where that cannot be told.
    identity: Option<(u64, u64)>,
    /// The id of the store in it.
    id: StoreId,
}

impl StoreFile {
    /// Takes note of the file at `path`, which was just opened.
    pub(super) fn new(path: &Path, id: StoreId) -> Self {
        let identity = std::fs::metadata(path).ok().as_ref().and_then(identity);
        Self { path: path.to_owned(), identity, id }
    }

    /// Tells whether the file is still where it was opened. One that cannot be looked at is taken to be.
    pub(super) fn is_in_place(&self) -> bool {
        match std::fs::metadata(&self.path) {
            Ok(found) => identity(&found) == self.identity,
            Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
        }
    }

    /// Looks whether the file is still where it was opened, and if not, through a new connection, at what is there.
    pub(super) async fn check(&self) -> Result<(), StoreLost> {
        let expected = self.id;
        if self.is_in_place() {
            return Ok(());
        }
        let found = open::read_store_id(&self.path).await;
        // It may have come back meanwhile.
        if self.is_in_place() {
            return Ok(());
        }
        let path = self.path.clone();
        Err(match found {
            Err(OpenError::Missing { .. }) => StoreLost::Gone { path },
            Ok(Some(id)) if id == expected => StoreLost::Copied { path, id },
            Ok(Some(found)) => StoreLost::Other { path, expected, found },
            Ok(None) | Err(_) => StoreLost::NoStore { path, expected },
        })
    }
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<(u64, u64)> {
    None
}
