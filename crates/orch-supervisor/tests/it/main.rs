//! The engine as a library user meets it: real tokio, virtual time, a journal in memory.

mod basics;
mod failures;
mod lifecycle;
mod pull;
mod support;
mod time;
