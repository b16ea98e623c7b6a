//! `supervisor`: who gives out the work, and the scopes of all agents.

use orch_core::{MemoryScope, ScopeError, Scopes};
use orch_workers::AgentFile;
use serde::Deserialize;

use super::{Config, WorkerConfig};

/// The name of a supervisor that was given none.
const NAME: &str = "orch";

/// The section as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SupervisorSection {
    /// What it is called in scopes.
    name: Option<String>,
    /// What it may learn, and whether and to whom it may give work.
    scope: Option<MemoryScope>,
}

impl SupervisorSection {
    /// Returns the supervisor's scope under its name.
    pub(super) fn scope(self) -> MemoryScope {
        let name = self.name.unwrap_or_else(|| NAME.to_owned());
        match self.scope {
            Some(mut scope) => {
                scope.agent_name = name;
                scope
            }
            None => MemoryScope::new(name),
        }
    }
}

impl WorkerConfig {
    /// Returns the scope of the worker, if it has one.
    pub fn scope(&self) -> Option<&MemoryScope> {
        match self {
            Self::Command(command) => command.scope.as_ref(),
            Self::Pull(pull) => pull.scope.as_ref(),
        }
    }
}

impl Config {
    /// Returns the scopes of the supervisor and of all workers, agents among them.
    pub fn scopes(&self) -> Scopes {
        let agents = self.own_agents().map(|agent| (&agent.name, agent.extras.scope.as_ref()));
        let workers = self.workers.iter().map(|(name, worker)| (name, worker.scope()));
        let scopes = agents.chain(workers).map(|(name, scope)| {
            let mut scope = scope.cloned().unwrap_or_else(|| MemoryScope::new(name.as_str()));
            name.clone_into(&mut scope.agent_name);
            scope
        });
        Scopes::new(self.supervisor.clone(), scopes)
    }

    /// Returns the agents that can be workers: whose name is neither the supervisor's nor that of a worker of the configuration.
    pub fn own_agents(&self) -> impl Iterator<Item = &AgentFile> {
        let is_taken = |name: &String| {
            *name == self.supervisor.agent_name || self.workers.iter().any(|(own, _)| own == name)
        };
        self.agents.agents.iter().filter(move |agent| !is_taken(&agent.name))
    }

    /// Returns how many workers and agents ask for memory.
    pub fn memory_readers(&self) -> usize {
        let workers = self.workers.iter().map(|(_, worker)| match worker {
            WorkerConfig::Command(command) => command.memory_tokens,
            WorkerConfig::Pull(pull) => pull.memory_tokens,
        });
        let agents = self.own_agents().map(|agent| agent.extras.memory_tokens);
        workers.chain(agents).filter(|tokens| *tokens > 0).count()
    }

    /// Returns what is wrong with scopes and between them, each with the place of the rule.
    pub(super) fn scope_faults(&self) -> Vec<(Vec<String>, String)> {
        let supervisor = &self.supervisor.agent_name;
        let same = self.workers.iter().filter(|(name, _)| name == supervisor);
        let same = same.map(|(name, _)| {
            let place = vec!["workers".to_owned(), name.clone()];
            (place, "is the name of the supervisor, too; give one of them another".to_owned())
        });
        let faults = self.scopes().faults();
        let faults = faults.into_iter().filter(|fault| {
            // What is wrong with an agent keeps nobody from running the project: see `Workers::add_agents`.
            culprit(fault).is_none_or(|agent| self.workers.iter().any(|(name, _)| name == agent))
        });
        same.chain(faults.map(|fault| (place(&fault), fault.to_string()))).collect()
    }
}

/// The worker whose block has to be changed; `None` for the supervisor.
pub(crate) fn culprit(fault: &ScopeError) -> Option<&str> {
    match fault {
        ScopeError::Misplaced { agent, is_supervisor: false, .. }
        | ScopeError::Read { agent, .. } => Some(agent),
        ScopeError::Delegate { worker, .. } => Some(worker.as_str()),
        ScopeError::Misplaced { .. }
        | ScopeError::Learn { .. }
        | ScopeError::Orchestrate { .. }
        | _ => None,
    }
}

/// The place of the rule that a person has to change, or of the agent that it is about.
fn place(fault: &ScopeError) -> Vec<String> {
    let rule = match fault {
        ScopeError::Misplaced { rule, .. } => Some(rule.as_str()),
        ScopeError::Read { .. } => Some("inherit_from"),
        ScopeError::Delegate { .. }
        | ScopeError::Learn { .. }
        | ScopeError::Orchestrate { .. }
        | _ => None,
    };
    let block = match culprit(fault) {
        Some(agent) => vec!["workers", agent],
        None => vec!["supervisor"],
    };
    let rule = rule.map(|rule| ["scope", rule]);
    block.into_iter().chain(rule.into_iter().flatten()).map(str::to_owned).collect()
}
