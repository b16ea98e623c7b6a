//! The same as `main.rs`, with every allocation counted. Counting costs time, so that its times say nothing.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

mod engine;
mod figure;
mod floor;
mod process;

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> std::process::ExitCode {
    figure::main(&|| {
        let stats = COUNTED.stats();
        Some((stats.allocations + stats.reallocations, stats.bytes_allocated))
    })
}
