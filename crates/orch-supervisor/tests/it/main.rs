//! The engine as a library user meets it: real tokio, virtual time, a journal in memory.

#![expect(clippy::unwrap_used, reason = "helpers of tests count as tests")]

mod basics;
mod cards;
mod failures;
mod forecast;
mod guard;
mod lifecycle;
mod locks;
mod memory;
mod policies;
mod pull;
mod refusing;
mod scopes;
mod support;
mod time;
