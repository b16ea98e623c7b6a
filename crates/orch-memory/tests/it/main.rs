//! The SQLite journal against real files and real processes.
#![expect(clippy::unwrap_used, reason = "helpers of tests, which clippy does not take for tests")]

mod contract;
mod support;
