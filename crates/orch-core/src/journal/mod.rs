//! The journal: the one truth about runs.
//!
//! Appends are atomic, at an expected sequence number, and checked against the owner's epoch; order is per run. The module
//! has the contract, and [`MemoryJournal`], which keeps it in memory. `orch_core::testing` has the suite that every
//! implementation passes.
//!
//! Search for [`Journal`] (the contract), [`Append`] (one write), [`RunRow`] (a run in a list), [`Owner`] (who carries out),
//! [`AppendError`] (what to do when a write fails).

mod append;
mod contract;
mod error;
mod memory;
mod owner;
mod run;
mod store;

pub use append::{Append, Blob};
pub use contract::Journal;
pub use error::{AcquireError, AppendError, JournalError};
pub use memory::MemoryJournal;
pub use owner::{AttemptProcess, Owner, ProcessId};
pub use run::{Readable, Recorded, RunFilter, RunHead, RunRow, RunSummary};
pub use store::MemoryStore;
