//! The real binary, as people and scripts meet it.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests count as tests")]

mod agents;
mod arguments;
mod audit;
mod config_errors;
mod database;
mod events;
mod evidence;
mod exits;
mod files;
mod full_disk;
mod hostile;
mod items;
mod journey;
mod kill;
mod left_behind;
mod locks;
mod lost;
mod memory;
mod memory_hangs;
mod numbers;
mod outputs;
mod parallel;
mod plan;
mod processes;
mod scopes;
mod signals;
mod support;
mod task_errors;
mod terminal;
mod transfer;
mod trust;
mod whole;
