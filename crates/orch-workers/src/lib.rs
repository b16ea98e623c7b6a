//! Worker adapters: what turns programs, and agents that fetch their own work, into [`Worker`](orch_core::Worker)s.
//!
//! - [`CommandWorker`] (feature `command`, on by default) runs a program per attempt: its own process group, an explicit
//!   environment, capped output, typed failures. [`CommandConfig`] is its block in `orch.yaml`.
//! - `AgentWorker` (feature `agents`) is an agent file, such as `.claude/agents/reviewer.md`: a pull worker that describes
//!   itself. `AgentFolder` finds the files, `AgentFile` reads one.
//! - [`PullWorker`] stands for somebody outside who claims and reports; the engine only offers.
//! - [`process`] (feature `command`) names processes so that a reused number is not mistaken for another, and ends those
//!   that a killed supervisor left behind ([`LeftoverReaper`](process::LeftoverReaper)).
//!
//! **Invariants:** never a shell unless the configuration names one; nothing of our environment reaches a program unless it
//! is listed; a dropped attempt leaves nobody alive in its process group.
//!
//! The feature `command` has content on Unix only: elsewhere there are no process groups and no `/proc`, and the crate
//! offers [`PullWorker`] and, with `agents`, agent files.
//!
//! ```
//! # #[cfg(all(feature = "command", unix))]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use orch_core::{AttemptInfo, Fence, Subtask, Token, Worker, WorkerCapability, WorkerContext};
//! use orch_workers::{CommandConfig, CommandWorker, ProjectPaths};
//!
//! let mut config = CommandConfig::new(["echo", "about {{ subtask.context.topic }}"]);
//! config.capabilities = vec![WorkerCapability::new("echo", ["text"])];
//! let worker = CommandWorker::new("echo", config, ProjectPaths::new("/", "/"))?;
//!
//! let mut subtask = Subtask::new("a", "Say what it is about", "text");
//! subtask.context.insert("topic".into(), "bees".into());
//! let run = "01890a5d-ac96-774b-bcce-b302099a8057".parse()?;
//! let attempt = AttemptInfo::new(run, Fence(1), Token(7), &subtask.id, 10_000);
//! let result = worker.execute(WorkerContext::new(subtask, attempt)).await?;
//! assert_eq!(result.output, "about bees");
//! # Ok(())
//! # }
//! # #[cfg(not(all(feature = "command", unix)))]
//! # fn main() {}
//! ```

#[cfg(feature = "agents")]
mod agents;
#[cfg(all(feature = "command", unix))]
mod command;
#[cfg(all(feature = "command", unix))]
pub mod process;
mod pull;

#[cfg(feature = "agents")]
pub use agents::{AgentExtras, AgentFault, AgentFile, AgentFolder, AgentIssue, AgentWorker};
#[cfg(all(feature = "command", unix))]
pub use command::{
    CommandConfig, CommandError, CommandWorker, OutputMode, ProjectPaths, StdinMode, TemplateIssue,
};
pub use pull::PullWorker;
