//! Command workers against real processes.
#![cfg(all(feature = "command", unix))]
#![expect(clippy::unwrap_used, reason = "helpers of tests count as tests")]

mod arguments;
mod environment;
mod outcome;
#[cfg(target_os = "linux")]
mod reaper;
mod stop;
mod streams;
mod support;
