//! `cargo xtask fix`: repairs what a tool can repair.

use std::process::ExitCode;

use anyhow::bail;

use crate::{
    picture,
    project::{self, Project},
    surface, tools,
};

/// Applies the lints' own fixes, removes unused dependencies and formats, in this order, since the first two leave text
/// unformatted; then the lock file, the picture of the crates and the lists of public items follow. Stops at the first failure: what follows would work on a
/// half-repaired tree.
pub(crate) fn run(project: &Project) -> anyhow::Result<ExitCode> {
    tools::SHEAR.require(project)?;
    let mut clippy = project.cargo(["clippy", "--fix", "--allow-dirty", "--allow-staged"]);
    project::run(clippy.args(["--workspace", "--all-targets", "--all-features"]))?;
    remove_unused(project)?;
    project::run(&mut project.cargo(["fmt", "--all"]))?;
    project::run(&mut project.cargo(["update", "--quiet", "--workspace"]))?;
    picture::write(&Project::find()?)?;
    surface::write(project)?;
    Ok(ExitCode::SUCCESS)
}

/// cargo-shear ends with 1 if it found something, removed or not; more than that is an error.
fn remove_unused(project: &Project) -> anyhow::Result<()> {
    let mut command = project.cargo(["shear", "--fix"]);
    match command.status()?.code() {
        Some(0 | 1) => Ok(()),
        code => bail!("{} ended with {code:?}", project::words(&command)),
    }
}
