//! `cargo xtask sim`: the simulator of orch-supervisor, built with optimisations.

use std::process::ExitCode;

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
    project::run(project.cargo(["build", "--quiet"]).args(SIMULATOR))
        .context("the simulator does not build")?;
    project::forward(project.cargo(["run", "--quiet"]).args(SIMULATOR).arg("--").args(arguments))
}
