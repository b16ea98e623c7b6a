//! The journals against real files, a real server and real processes.
#![expect(clippy::unwrap_used, reason = "helpers of tests, which clippy does not take for tests")]

mod alma;
mod alma_told;
mod children;
mod contract;
mod damage;
mod disk_full;
#[cfg(unix)]
mod embeddings;
mod erasing;
mod flips;
mod folds;
#[path = "../../../orch-mcp/tests/it/install.rs"]
#[expect(dead_code, reason = "the tests of MCP need other parts of others, too")]
mod install;
mod kill;
mod lesson;
mod memory;
mod model;
mod odd;
mod opening;
mod postgres;
mod races;
mod scale;
mod scopes;
mod store_id;
mod support;
mod tables;
mod transfer;
mod upkeep;
mod vanished;
mod writing;
