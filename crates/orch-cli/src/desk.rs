//! The tools of the MCP server, called in this process: for agents that have a shell and do not speak MCP.

use std::sync::Arc;
use std::time::Duration;

use orch_app::{Access, Workers};
use orch_core::journal::Journal;
use orch_core::{JsonMap, ProjectId, RunId};
use orch_mcp::Server;
use orch_supervisor::Supervisor;

use crate::error::CliError;
use crate::runs;
use crate::session::Session;

/// How long to wait at most until what was done is written and learned from.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The tools, and the commands that do the same.
const COMMANDS: [(&str, &str); 5] = [
    ("alma_claim_subtask", "`orch claim`"),
    ("alma_report_subtask", "`orch report`"),
    ("alma_orchestration_status", "`orch status`"),
    ("alma_cancel_orchestration", "`orch cancel`"),
    ("alma_delegate_task", "`orch run`"),
];

/// A server of the project that the command was called in. It runs nothing: it has the workers that fetch their work only.
pub(crate) struct Desk {
    server: Server,
    supervisor: Supervisor,
    store: Arc<dyn Journal>,
    project: ProjectId,
}

impl Desk {
    /// Opens the project; `name` is what other processes call this one.
    pub(crate) async fn open(session: &Session, name: &str) -> Result<Self, CliError> {
        let (_, config) = session.project()?;
        let store = session.stores.journal(&config, Access::Existing).await?;
        let mut workers = Workers::pull_only(&config);
        workers.add_agents(&config);
        // What it hands out goes to whom a server would give it.
        let memory = session.stores.memory(&config, store.clone(), Access::Existing).await?;
        let supervisor = orch_app::supervisor(&config, &workers, store.clone(), memory, name)
            .for_client(Session::client());
        let settings = config.settings();
        let project = settings.project.clone();
        let server = Server::builder(supervisor.clone(), &config.project_dir)
            .settings(settings)
            .visitor()
            .build()?;
        Ok(Self { server, supervisor, store, project })
    }

    /// Finds the run whose id begins with `prefix`; the newest open one of the project unless given.
    pub(crate) async fn find(&self, prefix: Option<&str>) -> Result<RunId, CliError> {
        runs::find_open(&*self.store, &self.project, prefix).await
    }

    /// Calls a tool, once: what this process took over to do so is given up again.
    pub(crate) async fn call(self, tool: &str, arguments: JsonMap) -> Result<JsonMap, CliError> {
        let answer = self.server.call(tool, arguments).await;
        self.supervisor.leave(CLOSE_TIMEOUT).await;
        Ok(answer?)
    }
}

/// Names the commands where a sentence names tools.
pub(crate) fn in_commands(sentence: &str) -> String {
    COMMANDS.iter().fold(sentence.to_owned(), |text, (tool, command)| text.replace(tool, command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_told_commands() {
        let sentence = "nobody has it: call alma_claim_subtask, or alma_orchestration_status";
        assert_eq!(in_commands(sentence), "nobody has it: call `orch claim`, or `orch status`");
    }
}
