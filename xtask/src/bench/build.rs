//! The programs that measure: one plain, one that counts allocations.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use crate::project::{Project, words};

const BUILD: [&str; 10] = [
    "bench",
    "--locked",
    "--quiet",
    "--package",
    "orch-app",
    "--bench",
    "engine",
    "--bench",
    "counted",
    "--no-run",
];

/// Where the programs are.
pub(super) struct Programs {
    /// Measures time, memory and writes.
    pub(super) plain: PathBuf,
    /// Counts allocations.
    pub(super) counted: PathBuf,
}

impl Programs {
    /// Builds them with optimisations.
    pub(super) fn build(project: &Project) -> anyhow::Result<Self> {
        let messages = built(project, &BUILD)?;
        let find = |name| find(&messages, name).with_context(|| format!("cargo built no {name}"));
        Ok(Self { plain: find("engine")?, counted: find("counted")? })
    }
}

/// Builds the MCP server with optimisations.
pub(super) fn server(project: &Project) -> anyhow::Result<PathBuf> {
    const SERVER: [&str; 6] = ["build", "--locked", "--quiet", "--release", "--bin", "orch-mcp"];
    find(&built(project, &SERVER)?, "orch-mcp").context("cargo built no orch-mcp")
}

/// Calls cargo, and returns what it says about what it has built.
fn built(project: &Project, arguments: &[&str]) -> anyhow::Result<String> {
    let mut command = project.cargo(arguments);
    command.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
    let output = command.output().with_context(|| format!("cannot start {}", words(&command)))?;
    ensure!(output.status.success(), "{} failed", words(&command));
    Ok(String::from_utf8(output.stdout)?)
}

/// What cargo says about a built target.
#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

fn find(messages: &str, name: &str) -> Option<PathBuf> {
    messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok()).find_map(
        |message| {
            let is_it = message.target.is_some_and(|target| target.name == name);
            message.executable.filter(|path| is_it && path != Path::new(""))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_the_one_of_the_named_target() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"engine"},"executable":null}
            {"reason":"compiler-artifact","target":{"name":"counted"},"executable":"/t/counted-1"}
            {"reason":"compiler-artifact","target":{"name":"engine"},"executable":"/t/engine-2"}
            {"reason":"build-finished","success":true}"#;
        assert_eq!(find(messages, "engine").unwrap(), Path::new("/t/engine-2"));
        assert_eq!(find(messages, "counted").unwrap(), Path::new("/t/counted-1"));
        assert_eq!(find(messages, "other"), None);
    }
}
