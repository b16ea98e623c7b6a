//! `cargo xtask soak mutants`: a fixed share of all mutants of machine, driver and pool against the tests of orch-supervisor.

use std::io::Write;

use anyhow::ensure;
use clap::Args;

use crate::mutants;
use crate::project::Project;

/// The fewest mutants that the share has unless `--of` makes it smaller.
const FEWEST: usize = 300;
/// One of how many mutants is tried: they are dealt out in turn, so that every file has its share.
const OF: u32 = 3;

/// How many.
#[derive(Args)]
pub(crate) struct Options {
    /// Tries one of so many mutants; a share smaller than the usual one is a look, no soak.
    #[arg(long, default_value_t = OF, value_parser = clap::value_parser!(u32).range(1..))]
    of: u32,
}

/// Tries the mutants; each must be noticed by a test or be explained.
pub(super) fn run(
    project: &Project,
    options: &Options,
    out: &mut impl Write,
) -> anyhow::Result<String> {
    let share = format!("0/{}", options.of);
    let selection = ["--shard", &share, "--sharding", "round-robin"];
    let outcome = mutants::run(project, &selection, None)?;
    let issues = outcome.issues(project)?;
    for issue in &issues {
        writeln!(out, "{issue}")?;
    }
    // The tests of the sound engine had a fifth of the time: what takes longer hangs, and that is noticed.
    let tried = outcome.tried() + outcome.timed_out;
    ensure!(issues.is_empty(), "{} of {tried} mutants: see above", issues.len());
    let fewest = if options.of > OF { 1 } else { FEWEST };
    ensure!(tried >= fewest, "only {tried} mutants were tried, fewer than {fewest}");
    let caught = outcome.caught.len() + outcome.timed_out;
    let explained = outcome.survivors.len();
    Ok(format!("{tried} mutants: {caught} caught, {explained} explained, the rest did not compile"))
}
