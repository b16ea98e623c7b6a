//! The journal in a SQLite file; learned memory beside it (`memory`).
//!
//! ```text
//! append ------> encode --+
//! note_process -----------+--> writer: one task, one connection, group commit (`writer`)
//! acquire, release, .. ---+
//! load, rows, blob, .. ------> readers: a small pool of read-only connections
//! foreign_change ------------> writer: counts commits of other connections, asked every 50 ms while somebody waits
//! ```
//! **Invariants of the journal:** only the writer writes; it answers after the commit, never before; every check is made inside the
//! transaction that it guards.

mod append;
mod blobs;
mod dialect;
mod error;
mod events;
mod file;
mod journal;
mod memory;
mod open;
mod options;
mod request;
mod writer;

pub use error::OpenError;
#[cfg(feature = "alma")]
pub(crate) use error::is_busy;
pub use file::StoreLost;
pub use journal::SqliteJournal;
pub(crate) use memory::open_memory;
pub use options::{SqliteOptions, Synchronous};
