//! `workers`: who does the work.

use std::num::NonZeroU32;

use orch_core::{MemoryScope, WorkerCapability};
use orch_workers::CommandConfig;
use serde::{Deserialize, Deserializer, de};

use crate::decode::decode;
use crate::document::{Document, Kind, Step};
use crate::issue::Issue;

/// The block of one worker.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum WorkerConfig {
    /// A program that is run for every attempt.
    Command(Box<CommandConfig>),
    /// Somebody outside who claims and reports; the block has `pull: true`.
    Pull(Box<PullConfig>),
}

/// The block of a worker that fetches its work itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PullConfig {
    #[serde(deserialize_with = "only_true")]
    #[expect(dead_code, reason = "it only has to be there")]
    pull: bool,
    /// What it can do.
    #[serde(default)]
    pub capabilities: Vec<WorkerCapability>,
    /// How many subtasks it may hold at once.
    #[serde(default = "one")]
    pub slots: NonZeroU32,
    /// How many tokens of memory its prompts may have; 0 for none.
    #[serde(default)]
    pub memory_tokens: u32,
    /// What it may learn and read, and whose work it takes; `agent_name` may be left out.
    #[serde(default)]
    pub scope: Option<MemoryScope>,
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

fn only_true<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    if bool::deserialize(deserializer)? {
        Ok(true)
    } else {
        Err(de::Error::custom("can only be `true`; leave it out of a worker with a `command`"))
    }
}

/// Reads all workers; what is wrong with one does not hide another.
pub(super) fn read(
    document: &Document,
    block: &[Step],
    issues: &mut Vec<Issue>,
) -> Vec<(String, WorkerConfig)> {
    let steps = |rest: &[&str]| -> Vec<Step> {
        block
            .iter()
            .cloned()
            .chain(["workers"].iter().chain(rest).map(|key| Step::Key((*key).to_owned())))
            .collect()
    };
    let Some(section) = document.root.get(&steps(&[])) else { return Vec::new() };
    if !matches!(section.kind, Kind::Map(_) | Kind::Null) {
        issues.push(document.issue(&steps(&[]), "is not a map of names and workers"));
    }
    let mut workers = Vec::new();
    for (key, node) in section.entries() {
        let name = key.text.clone();
        let is_pull = node.entries().iter().any(|(key, _)| key.text == "pull");
        let before = issues.len();
        let config = if is_pull {
            decode(document, &steps(&[&name]), issues)
                .map(|config| WorkerConfig::Pull(Box::new(config)))
        } else {
            decode(document, &steps(&[&name]), issues)
                .map(|config| WorkerConfig::Command(Box::new(config)))
        };
        if let Some(config) = config.filter(|_| issues.len() == before) {
            if capabilities(&config).is_empty() {
                issues.push(document.issue(
                    &steps(&[&name]),
                    "has no capabilities, so that nothing is given to it",
                ));
            }
            let named = config.scope().map_or("", |scope| scope.agent_name.as_str());
            if !named.is_empty() && named != name {
                let place = steps(&[&name, "scope", "agent_name"]);
                let message = format!("names `{named}` in the block of `{name}`; leave it out");
                issues.push(document.issue(&place, message));
            }
            workers.push((name, config));
        }
    }
    workers
}

fn capabilities(config: &WorkerConfig) -> &[WorkerCapability] {
    match config {
        WorkerConfig::Command(config) => &config.capabilities,
        WorkerConfig::Pull(config) => &config.capabilities,
    }
}
