//! Command workers against real processes, agent files against a table.
#![expect(clippy::unwrap_used, reason = "helpers of tests count as tests")]

#[cfg(feature = "agents")]
mod agents;
#[cfg(all(feature = "command", unix))]
mod arguments;
#[cfg(all(feature = "command", unix))]
mod environment;
#[cfg(all(feature = "command", unix))]
mod outcome;
#[cfg(all(feature = "command", target_os = "linux"))]
mod reaper;
#[cfg(all(feature = "command", unix))]
mod stop;
#[cfg(all(feature = "command", unix))]
mod streams;
#[cfg(all(feature = "command", unix))]
mod support;
