//! `cargo xtask soak flips`: the tests of `orch-memory/tests/it/flips.rs`, with as many flips as one likes.

use std::io::Write;

use clap::Args;

use super::suite::Suite;
use crate::project::Project;

/// How long.
#[derive(Args)]
pub(crate) struct Options {
    /// How many bits flip in bodies and blobs, and how many anywhere in the file.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    flips: u32,
}

/// Flips bits of a SQLite store one after the other, and checks what it answers.
pub(super) fn run(
    project: &Project,
    options: &Options,
    out: &mut impl Write,
) -> anyhow::Result<String> {
    let suite = Suite {
        package: "orch-memory",
        tests: &[
            "flips::a_flipped_bit_of_a_body_is_seen_where_it_is",
            "flips::a_flipped_bit_anywhere_in_the_file_gives_an_error_or_the_right_answer",
        ],
        environment: &[("ORCH_TEST_FLIPS", options.flips.to_string())],
    };
    suite.run(project, out)?;
    Ok(format!("{} flips in bodies, {} anywhere", options.flips, options.flips))
}
