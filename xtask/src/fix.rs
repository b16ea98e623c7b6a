//! `cargo xtask fix`: repairs what a tool can repair.

use std::process::ExitCode;

use crate::{
    project::{self, Project},
    tools,
};

/// Applies the lints' own fixes, removes unused dependencies and formats, in this order, since the first two leave text
/// unformatted. Stops at the first failure: what follows would work on a half-repaired tree.
pub(crate) fn run(project: &Project) -> anyhow::Result<ExitCode> {
    tools::SHEAR.require(project)?;
    project::run(&mut project.cargo([
        "clippy",
        "--fix",
        "--allow-dirty",
        "--allow-staged",
        "--workspace",
        "--all-targets",
        "--all-features",
    ]))?;
    // Its exit code says that it found something, not that it could not repair it: `ci` tells.
    project::forward(&mut project.cargo(["shear", "--fix"]))?;
    project::run(&mut project.cargo(["fmt", "--all"]))?;
    Ok(ExitCode::SUCCESS)
}
