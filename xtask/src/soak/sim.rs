//! `cargo xtask soak sim`: a million cases of the simulator.

use clap::Args;

use crate::project::{self, Project};
use crate::sim;

/// How long.
#[derive(Args)]
pub(crate) struct Options {
    /// How many cases are played, from the first one on.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    cases: u64,
}

/// Plays the cases; the simulator shows its progress and, when a law does not hold, the case to replay.
pub(super) fn run(project: &Project, options: &Options) -> anyhow::Result<String> {
    sim::build(project)?;
    let mut simulator = sim::command(project, &["--cases".to_owned(), options.cases.to_string()]);
    project::run(&mut simulator)?;
    Ok(format!("all laws hold in {} cases", options.cases))
}
