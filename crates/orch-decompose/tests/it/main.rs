//! The decomposer, as an engine asks it.

mod capability;
mod domain;
mod given;
mod hybrid;
mod laws;
mod world;
