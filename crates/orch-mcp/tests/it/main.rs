//! The real binary, over stdio and HTTP.
#![cfg(all(feature = "http", feature = "standalone"))]
#![expect(clippy::unwrap_used, reason = "helpers of tests count as tests")]

mod agents;
mod alma;
mod alma_written;
mod client;
mod conformance;
mod files;
mod fuzz;
mod hostile;
mod http;
mod http_limits;
mod http_server;
mod inspector;
mod install;
mod lost;
mod managed;
mod origin;
mod python;
mod race;
mod refusing;
mod round;
mod rude;
#[path = "../../fuzz/src/session.rs"]
mod session;
mod setup;
mod surfaces;
mod survival;
mod tasks;
mod trust;
mod webhooks;
