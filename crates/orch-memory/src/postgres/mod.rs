//! The journal in a PostgreSQL database, shared by processes on any number of machines.
//!
//! ```text
//! append --> blobs ahead --> writer: one task, one connection, group commit over runs --> NOTIFY
//! register, acquire, release, note_process --> a transaction of their own on a connection of the pool
//! load, rows, row, blob, ..                --> the pool
//! foreign_change <-- tail: one connection that listens
//! ```
//! Nothing orders the writers of several processes but the rows that they change: a writer first locks, always in
//! the same order, everything that its checks depend on (`append`). **Invariants:** every check is made under the lock
//! that guards it; an answer comes after the commit, never before.
//!
//! What is the same on SQLite stands one level up: what is admitted (`admission`), how it is encoded (`prepared`, `codec`),
//! the tables (`journal`).

mod address;
mod append;
mod blobs;
mod dialect;
mod events;
mod journal;
mod memory;
mod open;
mod options;
mod owners;
mod store;
mod tail;
mod writer;

pub use journal::PostgresJournal;
pub(crate) use memory::open_memory;
pub use open::PostgresError;
pub use options::PostgresOptions;
