//! `cargo xtask bench engine`: what a subtask costs in the engine, beside the floor beneath it. `cargo xtask bench memory`: what
//! learning costs, and a snapshot once much was learned. `cargo xtask bench mcp`: see [`mcp`].
//!
//! The engine has one process per figure, so that each has its own peak of memory; floor and engine take turns, so that a change of the
//! machine's load meets both. Ratios are taken within a turn; the table shows medians.

mod build;
mod figure;
mod mcp;
mod row;
mod table;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use crate::project::{Project, words};
use build::Programs;
use row::Row;

/// What can be measured.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// Measures the engine on subtasks that do nothing, beside a bare `JoinSet` and bare sqlx.
    Engine(Options),
    /// Measures the calls of the MCP server over stdio, with 1,000 runs of 20 subtasks in its store.
    Mcp(Options),
    /// Measures folds and snapshots of a memory of 10,000 and of 1,000,000 outcomes.
    Memory {
        /// At most 100,000 outcomes: a look, no figures to quote.
        #[arg(long)]
        quick: bool,
    },
}

/// How much is measured, and how it is shown.
#[derive(Args)]
pub(crate) struct Options {
    /// Small sizes and few rounds: a look, no figures to quote.
    #[arg(long)]
    quick: bool,
    /// Prints lines of JSON instead of a table.
    #[arg(long)]
    json: bool,
}

/// Builds, measures and prints.
pub(crate) fn run(
    project: &Project,
    bench: &Bench,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    match bench {
        Bench::Engine(options) => engine(project, options, out),
        Bench::Mcp(options) => mcp::run(project, options, out),
        Bench::Memory { quick } => memory(project, *quick, out),
    }
}

/// The bench prints its own table, as it measures in one process.
fn memory(project: &Project, quick: bool, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let mut command = project.cargo([
        "bench",
        "--locked",
        "--quiet",
        "--package",
        "orch-memory",
        "--bench",
        "memory",
        "--",
    ]);
    if quick {
        command.arg("--quick");
    }
    writeln!(out, "{} at the start.", load())?;
    out.flush()?;
    let status = command.status().with_context(|| format!("cannot start {}", words(&command)))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn engine(project: &Project, options: &Options, out: &mut impl Write) -> anyhow::Result<ExitCode> {
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
