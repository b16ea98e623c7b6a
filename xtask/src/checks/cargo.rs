//! The checks that cargo and its subcommands make.

use std::{
    io::{IsTerminal as _, Read as _},
    process::Command,
};

use anyhow::Context as _;

use super::Verdict;
use crate::{
    project::{self, Project},
    tools,
};

const FIX: &str = "cargo xtask fix";

/// The lock file fits the manifests, and the crates it names are here: the checks after this one do without a network.
pub(super) fn lock(project: &Project) -> anyhow::Result<Verdict> {
    let repair = "`cargo check` brings Cargo.lock up to date";
    verdict(project.cargo(["fetch", "--quiet", "--locked"]), repair)
}

/// Every file is formatted.
pub(super) fn fmt(project: &Project) -> anyhow::Result<Verdict> {
    verdict(project.cargo(["fmt", "--all", "--check"]), FIX)
}

/// No lint warns, with all features and in all targets.
pub(super) fn clippy(project: &Project) -> anyhow::Result<Verdict> {
    let mut command = project.cargo(["clippy", "--quiet", "--locked"]);
    command.args(["--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"]);
    verdict(command, &format!("{FIX}, the rest by hand"))
}

/// Every feature alone, none and all of them compile without a warning.
///
/// `--no-dev-deps` is left out: it rewrites the manifests while it runs, and the resolver keeps the features of
/// dev-dependencies out of a library's build anyway.
pub(super) fn features(project: &Project) -> anyhow::Result<Verdict> {
    let featured: Vec<_> = project.packages().iter().filter(|it| !it.features.is_empty()).collect();
    if featured.is_empty() {
        return Ok(Verdict::Passed("no crate has a feature".to_owned()));
    }
    tools::HACK.require(project)?;
    let mut command = project.cargo(["hack", "clippy", "--quiet", "--locked", "--each-feature"]);
    command.arg("--keep-going");
    for package in featured {
        command.args(["--package", &package.name]);
    }
    command.args(["--", "-D", "warnings"]);
    verdict(command, "by hand: the features stand above each error")
}

/// The documentation builds without a warning, broken links included.
pub(super) fn docs(project: &Project) -> anyhow::Result<Verdict> {
    let mut command = project.cargo(["doc", "--quiet", "--locked"]);
    command.args(["--workspace", "--no-deps", "--all-features"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    verdict(command, "by hand, in the comment that the output names")
}

/// Licences, sources and banned crates, by `deny.toml`.
pub(super) fn deny(project: &Project) -> anyhow::Result<Verdict> {
    tools::DENY.require(project)?;
    let command =
        project.cargo(["deny", "--offline", "--locked", "check", "licenses", "bans", "sources"]);
    verdict(command, "by hand: another dependency or, with a reason, an entry in deny.toml")
}

/// Every declared dependency is used.
pub(super) fn unused(project: &Project) -> anyhow::Result<Verdict> {
    tools::SHEAR.require(project)?;
    verdict(project.cargo(["shear", "--locked", "--offline", "--deny-warnings"]), FIX)
}

/// Runs a command and passes if it succeeds; its output is shown only if it does not.
fn verdict(mut command: Command, repair: &str) -> anyhow::Result<Verdict> {
    let (mut reader, writer) = std::io::pipe()?;
    if std::io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    } else {
        command.env("CARGO_TERM_COLOR", "never").env("TERM", "dumb");
    }
    command.stdout(writer.try_clone()?).stderr(writer);
    let words = project::words(&command);
    let mut child = command.spawn().with_context(|| format!("cannot start {words}"))?;
    drop(command); // it holds the pipe's other end: without this the output never ends
    let mut output = Vec::new();
    reader.read_to_end(&mut output)?;
    let status = child.wait()?;
    Ok(if status.success() {
        Verdict::Passed(words)
    } else {
        Verdict::failed(format!("{words}\n{}", String::from_utf8_lossy(&output)), repair)
    })
}
