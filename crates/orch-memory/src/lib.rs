//! What orch remembers: today the journal of runs, in memory ([`MemoryJournal`]) or in a SQLite file ([`SqliteJournal`]).

#[cfg(feature = "sqlite")]
mod codec;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use orch_core::journal::MemoryJournal;
#[cfg(feature = "sqlite")]
pub use sqlite::{OpenError, SqliteJournal, SqliteOptions, Synchronous};
