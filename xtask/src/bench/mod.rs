//! `cargo xtask bench engine`: what a subtask costs in the engine, beside the floor beneath it.
//!
//! One process per figure, so that each has its own peak of memory; floor and engine take turns, so that a change of the
//! machine's load meets both. Ratios are taken within a turn; the table shows medians.

mod build;
mod figure;
mod row;
mod table;

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::project::Project;
use build::Programs;
use row::Row;

/// What can be measured.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// Measures the engine on subtasks that do nothing, beside a bare `JoinSet` and bare sqlx.
    Engine(Options),
}

/// How much is measured, and how it is shown.
#[derive(Args)]
pub(crate) struct Options {
    /// At most 1,000 subtasks, and few rounds: a look, no figures to quote.
    #[arg(long)]
    quick: bool,
    /// Prints one line of JSON per row instead of a table.
    #[arg(long)]
    json: bool,
}

/// Builds, measures and prints.
pub(crate) fn run(
    project: &Project,
    bench: &Bench,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let Bench::Engine(options) = bench;
    let programs = Programs::build(project)?;
    if !options.json {
        write!(out, "{}", table::head(&load()))?;
    }
    for row in Row::all(options.quick) {
        let measured = row.measure(&programs)?;
        if options.json {
            writeln!(out, "{}", serde_json::to_string(&measured)?)?;
        } else {
            write!(out, "{}", table::line(&measured))?;
        }
        out.flush()?;
    }
    if !options.json {
        writeln!(out, "\n{} at the end.", load())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// How busy the machine is, as Linux says.
fn load() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!("{cores} cores, load {}", load.split(' ').next().unwrap_or("unknown"))
}
