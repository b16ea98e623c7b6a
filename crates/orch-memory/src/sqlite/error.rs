//! What can go wrong with a file.

use std::path::PathBuf;

use orch_core::BoxError;

/// Why a file could not be opened as a journal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder of the file could not be created.
    #[error("cannot create the folder {}", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// There is no such file, and a journal that is only read does not create one.
    #[error("there is no file {}", .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{} is not a SQLite database", .path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// A later version of orch has changed the tables: use that version.
    #[error("{} was written by a later version of orch: its tables have version {version}, and this program knows {known}", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its tables.
        version: i64,
        /// The latest version that this program knows.
        known: i64,
    },
    /// An early version of orch has made the tables, and no program brings them up to date: move the file away.
    #[error("{} was written by an early version of orch, which this program cannot read; move it away, and a new one is made", .path.display())]
    Outdated {
        /// The file.
        path: PathBuf,
    },
    /// The tables are missing or old, and a journal that is only read does not change them: open it for writing once.
    #[error("{} has no tables of orch, or old ones", .path.display())]
    Older {
        /// The file.
        path: PathBuf,
    },
    /// Another process held the file for longer than the busy timeout: try again.
    #[error("{} is in use by another process", .path.display())]
    Busy {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: BoxError,
    },
    /// Anything else: no permission, a folder in its place, a full disk, a damaged file.
    #[error("cannot open {}", .path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: BoxError,
    },
}

/// The primary result code of SQLite, when the error comes from there.
pub(super) fn primary_code(error: &sqlx::Error) -> Option<u32> {
    let code = error.as_database_error()?.code()?;
    // The low byte of an extended code is the primary one.
    code.parse::<u32>().ok().map(|code| code & 0xff)
}

/// Tells whether another connection held the lock for too long.
#[cfg(feature = "alma")]
pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(SQLITE_BUSY)
}

/// Another connection holds the lock.
pub(super) const SQLITE_BUSY: u32 = 5;
/// The file is no database.
pub(super) const SQLITE_NOTADB: u32 = 26;
