//! `supervisor`: who gives out the work, and the scopes of all agents.

use orch_core::{MemoryScope, ScopeError, Scopes};
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
    /// Returns the scopes of the supervisor and of all workers.
    pub fn scopes(&self) -> Scopes {
        let workers = self.workers.iter().map(|(name, worker)| {
            let mut scope =
                worker.scope().cloned().unwrap_or_else(|| MemoryScope::new(name.as_str()));
            name.clone_into(&mut scope.agent_name);
            scope
        });
        Scopes::new(self.supervisor.clone(), workers)
    }

    /// Returns what is wrong with scopes and between them, each with the place of the rule.
    pub(super) fn scope_faults(&self) -> Vec<(Vec<String>, String)> {
        let supervisor = &self.supervisor.agent_name;
        let same = self.workers.iter().filter(|(name, _)| name == supervisor);
        let same = same.map(|(name, _)| {
            let place = vec!["workers".to_owned(), name.clone()];
            (place, "is the name of the supervisor, too; give one of them another".to_owned())
        });
        let scopes = self.scopes();
        let faults = scopes.faults().into_iter().map(|fault| (place(&fault), fault.to_string()));
        same.chain(faults).collect()
    }
}

/// The place of the rule that a person has to change, or of the agent that it is about.
fn place(fault: &ScopeError) -> Vec<String> {
    let (agent, rule) = match fault {
        ScopeError::Misplaced { rule, is_supervisor: true, .. } => (None, Some(rule.as_str())),
        ScopeError::Misplaced { rule, agent, .. } => (Some(agent.as_str()), Some(rule.as_str())),
        ScopeError::Read { agent, .. } => (Some(agent.as_str()), Some("inherit_from")),
        ScopeError::Delegate { worker, .. } => (Some(worker.as_str()), None),
        ScopeError::Learn { .. } | ScopeError::Orchestrate { .. } | _ => (None, None),
    };
    let block = match agent {
        Some(agent) => vec!["workers", agent],
        None => vec!["supervisor"],
    };
    let rule = rule.map(|rule| ["scope", rule]);
    block.into_iter().chain(rule.into_iter().flatten()).map(str::to_owned).collect()
}
