//! The real binary, over stdio and HTTP.
#![cfg(all(feature = "http", feature = "standalone"))]
#![expect(clippy::unwrap_used, reason = "helpers of tests count as tests")]

mod agents;
mod client;
mod hostile;
mod http;
mod http_limits;
mod http_server;
mod inspector;
mod install;
mod managed;
mod python;
mod round;
mod rude;
mod survival;
mod tasks;
