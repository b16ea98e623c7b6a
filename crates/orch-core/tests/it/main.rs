//! What orch-core promises to the crates that use it.

mod events;
mod journal;
