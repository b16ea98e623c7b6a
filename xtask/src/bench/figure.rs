//! One figure: one process.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use crate::project::words;

/// What a process measured of itself.
#[derive(Deserialize)]
pub(super) struct Figure {
    pub(super) seconds: f64,
    /// Beyond what was in use before.
    pub(super) peak_kib: f64,
    /// By write calls.
    pub(super) written_bytes: f64,
    /// Only from the program that counts.
    pub(super) allocations: Option<f64>,
    /// Only from the program that counts.
    pub(super) allocated_bytes: Option<f64>,
}

impl Figure {
    /// Runs `program` for one figure.
    pub(super) fn measure(
        program: &Path,
        subject: &str,
        store: &str,
        shape: &str,
        n: u32,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command.args([subject, store, shape]).arg(n.to_string());
        let output =
            command.output().with_context(|| format!("cannot start {}", program.display()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}: {}", words(&command), said.trim());
        serde_json::from_slice(&output.stdout).with_context(|| words(&command))
    }
}
