//! `cargo xtask sim`: the simulator of orch-supervisor, built with optimisations.

use std::process::{Command, ExitCode};

use anyhow::Context as _;

use crate::project::{self, Project};

const SIMULATOR: [&str; 8] = [
    "--locked",
    "--release",
    "--package",
    "orch-supervisor",
    "--features",
    "sim",
    "--example",
    "sim",
];

/// Builds the simulator, runs it with `arguments` and hands on its exit code.
pub(crate) fn run(project: &Project, arguments: &[String]) -> anyhow::Result<ExitCode> {
    build(project)?;
    project::forward(&mut command(project, arguments))
}

/// Builds the simulator, so that what cannot be built is not taken for what it found.
pub(crate) fn build(project: &Project) -> anyhow::Result<()> {
    project::run(project.cargo(["build", "--quiet"]).args(SIMULATOR))
        .context("the simulator does not build")
}

/// The call of the simulator with `arguments`.
pub(crate) fn command(project: &Project, arguments: &[String]) -> Command {
    let mut command = project.cargo(["run", "--quiet"]);
    command.args(SIMULATOR).arg("--").args(arguments);
    command
}
