//! `cargo xtask fuzz`: libFuzzer against the MCP server's message path and its tools, on the stable compiler.

use std::fs;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use crate::project::{self, Project};
use crate::tools;

/// The folder of the targets, a workspace of its own.
const FOLDER: &str = "crates/orch-mcp/fuzz";
const TARGETS: [&str; 2] = ["messages", "arguments"];

/// For how long.
#[derive(Args)]
pub(crate) struct Options {
    /// How many minutes in all, shared by the targets.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
}

/// Runs each target for its share of the time. What it finds, and what it has learned, is kept in the target folder.
pub(crate) fn run(project: &Project, options: &Options) -> anyhow::Result<ExitCode> {
    tools::FUZZ.require(project)?;
    let folder = project.root().join(FOLDER);
    let lock = "Cargo.lock"; // the same versions as everywhere
    fs::copy(project.root().join(lock), folder.join(lock)).context("cannot copy the lock file")?;
    let seconds = options.minutes * 60 / TARGETS.len() as u64;
    for target in TARGETS {
        let kept = project.target().join("fuzz");
        let [corpus, found] = ["corpus", "found"].map(|name| kept.join(name).join(target));
        for folder in [&corpus, &found] {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        let mut cargo = project.cargo(["fuzz", "run", "--sanitizer", "none", "--fuzz-dir", FOLDER]);
        cargo.arg("--target-dir").arg(&kept).arg(target);
        cargo.arg(&corpus).arg(folder.join("seeds").join(target)).arg("--");
        cargo.arg(format!("-max_total_time={seconds}"));
        cargo.arg(format!("-artifact_prefix={}/", found.display()));
        // An input that takes more than this is a finding, too.
        cargo.args(["-rss_limit_mb=1024", "-timeout=20", "-max_len=4096", "-print_final_stats=1"]);
        project::run(&mut cargo)?;
    }
    Ok(ExitCode::SUCCESS)
}
