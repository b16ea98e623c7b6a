//! `cargo xtask soak files`: the test of `orch-mcp/tests/it/files.rs` in which a file and a link change places, for longer.

use std::io::Write;

use clap::Args;

use super::suite::Suite;
use crate::project::Project;

/// How long.
#[derive(Args)]
pub(crate) struct Options {
    /// How often the file and the link change places while results are read, at least.
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u32).range(1..))]
    exchanges: u32,
}

/// Exchanges a result with a link to a secret again and again while the real server reads results, and checks that no answer and no
/// file has the secret.
pub(super) fn run(
    project: &Project,
    options: &Options,
    out: &mut impl Write,
) -> anyhow::Result<String> {
    let suite = Suite {
        package: "orch-mcp",
        tests: &["files::a_file_that_changes_places_with_a_link_leaks_nothing"],
        environment: &[("ORCH_TEST_EXCHANGES", options.exchanges.to_string())],
    };
    suite.run(project, out)?;
    Ok(format!("{} exchanges", options.exchanges))
}
