//! `cargo xtask soak full-disk`: the tests of `orch-cli/tests/it/full_disk.rs`, on a disk that stays full for longer.

use std::io::Write;

use clap::Args;

use super::suite::Suite;
use crate::project::Project;

/// How long.
#[derive(Args)]
pub(crate) struct Options {
    /// How long the disk stays full, in seconds.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
}

/// Fills the disk under runs, checks that they wait quietly and end in time when they are told to, and that with space again every
/// run ends with nothing lost.
pub(super) fn run(
    project: &Project,
    options: &Options,
    out: &mut impl Write,
) -> anyhow::Result<String> {
    let suite = Suite {
        package: "orch-cli",
        tests: &[
            "full_disk::on_a_full_disk_runs_wait_quietly_and_end_when_there_is_space_again",
            "full_disk::on_a_full_disk_a_run_ends_in_time_and_can_be_resumed",
            "full_disk::with_a_limit_on_the_size_of_files_runs_wait_quietly_and_end_when_it_is_lifted",
            "full_disk::with_a_locked_store_a_run_ends_in_time_and_can_be_resumed",
        ],
        environment: &[("ORCH_TEST_FULL_DISK_SECONDS", options.seconds.to_string())],
    };
    suite.run(project, out)?;
    Ok(format!("{} s without space, nothing lost", options.seconds))
}
