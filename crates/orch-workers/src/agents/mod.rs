//! Agent files: Markdown with YAML front matter, as coding agents keep them in `.claude/agents/`.
//!
//! `front` splits a file and reads its fields, `file` checks them, `folder` finds the files of a project and of a user,
//! `worker` makes workers of them.

mod fault;
mod file;
mod folder;
mod front;
mod matching;
mod worker;

pub use fault::{AgentFault, AgentIssue};
pub use file::{AgentExtras, AgentFile};
pub use folder::AgentFolder;
pub use worker::AgentWorker;
