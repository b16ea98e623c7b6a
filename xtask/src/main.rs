//! Developers' chores: `cargo xtask ci` checks everything and changes nothing, `cargo xtask fix` repairs what a tool can.
//!
//! One file per command; what `ci` checks is in `checks/`, one file per subject.

mod bench;
mod bugs;
mod checks;
mod ci;
mod coverage;
mod fix;
mod fuzz;
mod mutants;
mod picture;
mod project;
mod sim;
mod soak;
mod stopwatch;
mod surface;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use project::Project;

/// Developers' chores of the orch workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Checks everything and changes nothing: format, lints, layers, weight, features, licences, docs.
    Ci,
    /// Repairs what a tool can repair: format, lints with a known fix, unused dependencies, the picture of the crates.
    Fix,
    /// Runs the engine in the simulator; every argument goes to it, for example `--cases 1000 --seed 7`.
    Sim {
        /// Arguments of the simulator.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Runs the long form of one of CI's tests, and ends with its verdict.
    Soak {
        #[command(subcommand)]
        soak: soak::Soak,
    },
    /// Measures what the engine costs, optimised, beside the floor beneath it.
    Bench {
        #[command(subcommand)]
        bench: bench::Bench,
    },
    /// Measures how many lines the tests run, and fails below the floors.
    Coverage,
    /// Plays bytes against the MCP server until something breaks or the time is over.
    Fuzz(fuzz::Options),
    /// Installs the tools that `ci`, `fix`, `coverage` and `fuzz` call into the target folder.
    Tools,
}

fn main() -> ExitCode {
    run(Arguments::parse().chore).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(chore: Chore) -> anyhow::Result<ExitCode> {
    let project = Project::find()?;
    let out = &mut std::io::stdout().lock();
    match chore {
        Chore::Ci => ci::run(&project, out),
        Chore::Fix => fix::run(&project),
        Chore::Sim { arguments } => sim::run(&project, &arguments),
        Chore::Soak { soak } => soak::run(&project, &soak, out),
        Chore::Bench { bench } => bench::run(&project, &bench, out),
        Chore::Coverage => coverage::run(&project, out),
        Chore::Fuzz(options) => fuzz::run(&project, &options),
        Chore::Tools => tools::install(&project),
    }
}
