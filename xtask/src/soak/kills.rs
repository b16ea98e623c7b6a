//! `cargo xtask soak kills`: the tests of `orch-cli/tests/it/kill.rs`, with as many kills as one likes.

use std::io::Write;

use clap::Args;

use super::suite::Suite;
use crate::project::Project;

/// How long.
#[derive(Args)]
pub(crate) struct Options {
    /// How often the owner of a run is killed, on each database.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    kills: u32,
}

/// Kills the owner of a run again and again, on SQLite and on PostgreSQL, and checks after each kill that nothing is lost or done twice.
pub(super) fn run(
    project: &Project,
    options: &Options,
    out: &mut impl Write,
) -> anyhow::Result<String> {
    let suite = Suite {
        package: "orch-cli",
        tests: &[
            "kill::kills_lose_nothing_and_repeat_nothing",
            "kill::on_postgres_kills_lose_nothing_and_of_two_who_take_over_one_owns",
        ],
        environment: &[("ORCH_TEST_KILLS", options.kills.to_string())],
    };
    suite.run(project, out)?;
    Ok(format!("{} kills on each database", options.kills))
}
