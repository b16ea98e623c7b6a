//! `cargo xtask soak NAME`: the long forms of what CI runs in a short form. One file per soak.
//!
//! A soak shows its progress, and its last line is the verdict. To add one: a file with its options and a `run` that returns the figures
//! for the verdict, a variant of [`Soak`], and its two arms.

mod bugs;
mod files;
mod flips;
mod full_disk;
mod kills;
mod mutants;
mod sim;
mod suite;

use std::io::Write;
use std::process::ExitCode;

use clap::Subcommand;

use crate::project::Project;
use crate::stopwatch::Stopwatch;

/// What can be soaked.
#[derive(Subcommand)]
pub(crate) enum Soak {
    /// Breaks a copy of the engine in every planted way; the simulator must notice each.
    Bugs,
    /// Exchanges a result with a link to a secret while the real server reads results.
    Files(files::Options),
    /// Flips bits of a SQLite store; nothing wrong may be shown as right.
    Flips(flips::Options),
    /// Kills the real `orch` with kill -9 while it works, on SQLite and on PostgreSQL.
    Kills(kills::Options),
    /// Lets the disk under real runs become full, and gives them space again.
    FullDisk(full_disk::Options),
    /// Makes small changes in a copy of the engine's core; a test must notice each.
    Mutants(mutants::Options),
    /// Plays random histories of the engine in the simulator.
    Sim(sim::Options),
}

/// Runs one soak and prints its verdict as the last line; the exit code is 0 only when the soak passed.
pub(crate) fn run(
    project: &Project,
    soak: &Soak,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let stopwatch = Stopwatch::start();
    let (name, figures) = match soak {
        Soak::Bugs => ("bugs", bugs::run(project, out)),
        Soak::Files(options) => ("files", files::run(project, options, out)),
        Soak::Flips(options) => ("flips", flips::run(project, options, out)),
        Soak::Kills(options) => ("kills", kills::run(project, options, out)),
        Soak::FullDisk(options) => ("full-disk", full_disk::run(project, options, out)),
        Soak::Mutants(options) => ("mutants", mutants::run(project, options, out)),
        Soak::Sim(options) => ("sim", sim::run(project, options)),
    };
    let seconds = stopwatch.elapsed().as_secs();
    Ok(match figures {
        Ok(figures) => {
            writeln!(out, "soak {name}: passed: {figures}, in {seconds} s")?;
            ExitCode::SUCCESS
        }
        Err(error) => {
            writeln!(out, "soak {name}: FAILED after {seconds} s: {error:#}")?;
            ExitCode::FAILURE
        }
    })
}
