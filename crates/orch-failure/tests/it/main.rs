//! The failure handler, as an engine asks it.

mod handler;
mod laws;
mod worker;
