//! The router, as an engine asks it.

mod batch;
mod decision;
mod laws;
mod worker;
