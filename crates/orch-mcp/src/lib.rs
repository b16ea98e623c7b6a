//! The MCP server of orch: a client delegates a task, its own agents do the subtasks, the engine keeps the order.
//!
//! [`Server`] serves any [`Supervisor`](orch_supervisor::Supervisor) over any transport of `rmcp`. Its five tools are
//! `alma_delegate_task`, `alma_report_subtask`, `alma_claim_subtask`, `alma_orchestration_status` and
//! `alma_cancel_orchestration`. The feature `standalone` (on by default) has the binary `orch-mcp` and `standalone`, which
//! make a server of a project's files.
//!
//! **Invariants:** nothing is written to stdout; the server itself reads and writes no file outside the project; a client names
//! workers, never commands; runs of `orch` are looked at and cancelled, but never resumed.
//!
//! ```
//! use orch_core::RunSettings;
//! use orch_mcp::Server;
//! use orch_supervisor::Supervisor;
//! use rmcp::ServerHandler;
//!
//! # let project = tempfile::tempdir()?;
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let supervisor = Supervisor::builder().build();
//! let server = Server::builder(supervisor, project.path())
//!     .settings(RunSettings::default().with_project("shop"))
//!     .build()?;
//! assert_eq!(server.get_info().server_info.name, "alma-orchestration");
//! // `rmcp::ServiceExt::serve(server, StdioTransport::new(stdin, stdout)).await?` serves it.
//! # Ok::<_, std::io::Error>(())
//! # })?;
//! # Ok::<_, std::io::Error>(())
//! ```

mod answer;
mod args;
mod call_context;
mod call_error;
mod caller;
mod clock;
mod desk;
mod desks;
mod error;
mod files;
mod hand_out;
mod handle;
#[cfg(feature = "http")]
pub mod http;
mod mode;
mod names;
mod prompt;
mod prompts;
mod request;
mod resources;
mod schema;
mod server;
mod shutdown;
#[cfg(feature = "standalone")]
pub mod standalone;
mod stdio;
mod tasks;
mod tools;
mod view;
mod wait;

pub use call_error::CallError;
pub use server::{Server, ServerBuilder};
pub use stdio::StdioTransport;
