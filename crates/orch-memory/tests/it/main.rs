//! The journals against real files, a real server and real processes.
#![expect(clippy::unwrap_used, reason = "helpers of tests, which clippy does not take for tests")]

mod children;
mod contract;
mod damage;
mod disk_full;
mod kill;
mod lesson;
mod memory;
mod model;
mod opening;
mod postgres;
mod races;
mod scale;
mod scopes;
mod support;
mod tables;
mod upkeep;
mod writing;
