//! The aggregator, as an engine asks it.

mod laws;
mod merge;
mod strategies;
mod world;
