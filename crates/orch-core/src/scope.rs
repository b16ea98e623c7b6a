//! Who may learn what, who reads whose memories, and who gives work to whom.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::WorkerName;
use crate::setters::setters;
use crate::words::words;

/// Stands for everybody, or everything, in the lists of a scope.
pub(crate) const ALL: &str = "*";

/// What an agent may learn and read, and whom it works with. An agent without a scope has that of [`MemoryScope::new`].
///
/// In all lists `*` stands for all. What is learned is named by the type of subtask or task.
///
/// ```
/// use orch_core::MemoryScope;
///
/// let scope: MemoryScope = serde_json::from_str(r#"{ "agent_name": "ann", "cannot_learn": ["payroll"] }"#)?;
/// assert_eq!(scope, MemoryScope::new("ann").with_cannot_learn(vec!["payroll".to_owned()]));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct MemoryScope {
    /// The agent. May be absent where the place says whose scope it is.
    #[serde(default)]
    pub agent_name: String,
    /// What it may learn; empty means everything that is not forbidden.
    #[serde(default)]
    pub can_learn: Vec<String>,
    /// What it may not learn, whatever `can_learn` says.
    #[serde(default)]
    pub cannot_learn: Vec<String>,
    /// Who may read what it learned; empty means nobody.
    #[serde(default)]
    pub share_with: Vec<String>,
    /// Whose memories it reads as well, if they share with it; what those have inherited is not among it.
    #[serde(default)]
    pub inherit_from: Vec<String>,
    /// How often something must be seen before a heuristic is made of it.
    #[serde(default = "three")]
    pub min_occurrences_for_heuristic: u32,
    /// Whether it may run tasks; a right of supervisors.
    #[serde(default = "yes")]
    pub can_orchestrate: bool,
    /// The only supervisor that it takes work from; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subordinate_to: Option<String>,
    /// To whom it may give work, as a supervisor; empty means everybody.
    #[serde(default)]
    pub can_delegate_to: Vec<String>,
}

fn three() -> u32 {
    3
}

fn yes() -> bool {
    true
}

impl MemoryScope {
    /// Makes the scope of an agent about which nothing was said: it learns everything, shares nothing and inherits nothing, and
    /// everybody may give it work.
    pub fn new(agent_name: impl Into<String>) -> Self {
        Self {
            agent_name: agent_name.into(),
            can_learn: Vec::new(),
            cannot_learn: Vec::new(),
            share_with: Vec::new(),
            inherit_from: Vec::new(),
            min_occurrences_for_heuristic: three(),
            can_orchestrate: yes(),
            subordinate_to: None,
            can_delegate_to: Vec::new(),
        }
    }

    /// Checks that the agent may learn about subtasks or tasks of type `topic`.
    ///
    /// # Errors
    /// When `cannot_learn` forbids it, or `can_learn` does not allow it.
    pub fn may_learn(&self, topic: &str) -> Result<(), ScopeError> {
        let refused = |rule| {
            Err(ScopeError::Learn { rule, agent: self.agent_name.clone(), topic: topic.to_owned() })
        };
        if names(&self.cannot_learn, topic) {
            return refused(ScopeRule::CannotLearn);
        }
        if !self.can_learn.is_empty() && !names(&self.can_learn, topic) {
            return refused(ScopeRule::CanLearn);
        }
        Ok(())
    }

    /// Returns what says nothing in the scope of a worker, or of a supervisor.
    pub fn misplaced(&self, is_supervisor: bool) -> Vec<ScopeError> {
        let said = if is_supervisor {
            [
                (ScopeRule::InheritFrom, !self.inherit_from.is_empty()),
                (ScopeRule::SubordinateTo, self.subordinate_to.is_some()),
            ]
        } else {
            [
                (ScopeRule::CanOrchestrate, !self.can_orchestrate),
                (ScopeRule::CanDelegateTo, !self.can_delegate_to.is_empty()),
            ]
        };
        let agent = || self.agent_name.clone();
        said.into_iter()
            .filter(|(_, is_said)| *is_said)
            .map(|(rule, _)| ScopeError::Misplaced { rule, agent: agent(), is_supervisor })
            .collect()
    }

    /// Checks that the agent may run tasks.
    ///
    /// # Errors
    /// When `can_orchestrate` is `false`.
    pub fn may_orchestrate(&self) -> Result<(), ScopeError> {
        match self.can_orchestrate {
            true => Ok(()),
            false => Err(ScopeError::Orchestrate { agent: self.agent_name.clone() }),
        }
    }

    /// Checks that the agent, as a supervisor, may give work to `worker`, whose scope is `scope` if it has one.
    ///
    /// # Errors
    /// When its `can_delegate_to` does not name the worker, or the worker's `subordinate_to` names another supervisor.
    pub fn may_delegate(
        &self,
        worker: &WorkerName,
        scope: Option<&Self>,
    ) -> Result<(), ScopeError> {
        let refused = |rule| {
            Err(ScopeError::Delegate {
                rule,
                agent: self.agent_name.clone(),
                worker: worker.clone(),
            })
        };
        if !self.can_delegate_to.is_empty() && !names(&self.can_delegate_to, worker.as_str()) {
            return refused(ScopeRule::CanDelegateTo);
        }
        let chief = scope.and_then(|scope| scope.subordinate_to.as_deref());
        if chief.is_some_and(|chief| chief != ALL && chief != self.agent_name) {
            return refused(ScopeRule::SubordinateTo);
        }
        Ok(())
    }
}

pub(crate) fn names(list: &[String], name: &str) -> bool {
    list.iter().any(|listed| listed == name || listed == ALL)
}

setters! { MemoryScope {
    /// Sets what it may learn.
    with_can_learn => can_learn: Vec<String>,
    /// Sets what it may not learn.
    with_cannot_learn => cannot_learn: Vec<String>,
    /// Sets who may read what it learned.
    with_share_with => share_with: Vec<String>,
    /// Sets whose memories it reads as well.
    with_inherit_from => inherit_from: Vec<String>,
    /// Sets how often something must be seen.
    with_min_occurrences_for_heuristic => min_occurrences_for_heuristic: u32,
    /// Sets whether it may run tasks.
    with_can_orchestrate => can_orchestrate: bool,
    /// Sets the only supervisor that it takes work from.
    with_subordinate_to => subordinate_to: Option<String>,
    /// Sets to whom it may give work.
    with_can_delegate_to => can_delegate_to: Vec<String>,
} }

words! {
    /// A rule of a scope, by the name of its field.
    pub enum ScopeRule as "rule" {
        /// What may be learned.
        CanLearn = "can_learn",
        /// What may not be learned.
        CannotLearn = "cannot_learn",
        /// Who may read what was learned.
        ShareWith = "share_with",
        /// Whose memories are read.
        InheritFrom = "inherit_from",
        /// Who may run tasks.
        CanOrchestrate = "can_orchestrate",
        /// Whose work is taken.
        SubordinateTo = "subordinate_to",
        /// To whom work is given.
        CanDelegateTo = "can_delegate_to",
    }
}

/// What a scope forbids, and the rule that does.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ScopeError {
    /// The agent may not learn about this type.
    #[error("`{agent}` may not learn about `{topic}`: `{rule}` of its scope {} it", if *.rule == ScopeRule::CannotLearn { "names" } else { "does not name" })]
    #[non_exhaustive]
    Learn {
        /// `can_learn` or `cannot_learn`.
        rule: ScopeRule,
        /// The agent.
        agent: String,
        /// The type.
        topic: String,
    },
    /// The agent may not read what another has learned.
    #[error("`{agent}` may not read what `{other}` has learned: {}", match .rule == &ScopeRule::InheritFrom {
        true => format!("`inherit_from` of its scope does not name `{other}`"),
        false => format!("`share_with` in the scope of `{other}` does not name `{agent}`"),
    })]
    #[non_exhaustive]
    Read {
        /// `inherit_from` of the agent or `share_with` of the other.
        rule: ScopeRule,
        /// The agent.
        agent: String,
        /// Whose memory it is.
        other: String,
    },
    /// The supervisor may not run tasks.
    #[error("`{agent}` may not run tasks: `can_orchestrate` of its scope is false")]
    #[non_exhaustive]
    Orchestrate {
        /// The supervisor.
        agent: String,
    },
    /// The supervisor may not give work to this worker.
    #[error("`{agent}` may not give work to `{worker}`: {}", match .rule == &ScopeRule::SubordinateTo {
        true => format!("`subordinate_to` in the scope of `{worker}` names another supervisor"),
        false => format!("`can_delegate_to` of its scope does not name `{worker}`"),
    })]
    #[non_exhaustive]
    Delegate {
        /// `can_delegate_to` of the supervisor or `subordinate_to` of the worker.
        rule: ScopeRule,
        /// The supervisor.
        agent: String,
        /// The worker.
        worker: WorkerName,
    },
    /// The rule says nothing in the scope of such an agent.
    #[error("`{rule}` means nothing in the scope of `{agent}`, which is {}; leave it out", if *.is_supervisor { "the supervisor" } else { "a worker" })]
    #[non_exhaustive]
    Misplaced {
        /// The rule.
        rule: ScopeRule,
        /// The agent.
        agent: String,
        /// Whether the agent is the supervisor.
        is_supervisor: bool,
    },
}
