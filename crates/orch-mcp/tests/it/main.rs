//! The real binary, over stdio.
#![cfg(feature = "standalone")]
#![expect(clippy::unwrap_used, reason = "helpers of tests count as tests")]

mod client;
mod hostile;
mod inspector;
mod install;
mod managed;
mod python;
mod round;
mod rude;
mod survival;
mod tasks;
