//! The scopes of a project: its supervisor's and its workers'.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::scope::{ALL, names};
use crate::{MemoryScope, ScopeError, ScopeRule, WorkerName};

/// The scopes of all agents of a project. Who has none has that of [`MemoryScope::new`].
///
/// ```
/// use orch_core::{MemoryScope, Scopes};
///
/// let ann = MemoryScope::new("ann").with_share_with(vec!["bob".to_owned()]);
/// let bob = MemoryScope::new("bob").with_inherit_from(vec!["ann".to_owned(), "eve".to_owned()]);
/// let scopes = Scopes::new(MemoryScope::new("boss"), [ann, bob]);
/// assert_eq!(scopes.sources("bob", "review")?, ["bob", "ann"]);
/// assert_eq!(
///     scopes.may_read("bob", "eve").unwrap_err().to_string(),
///     "`bob` may not read what `eve` has learned: `share_with` in the scope of `eve` does not name `bob`",
/// );
/// # Ok::<(), orch_core::ScopeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes {
    supervisor: MemoryScope,
    workers: BTreeMap<String, MemoryScope>,
}

impl Default for Scopes {
    /// No restrictions.
    fn default() -> Self {
        Self::new(MemoryScope::new("supervisor"), [])
    }
}

impl Scopes {
    /// Gathers scopes; of several for one worker the last counts.
    pub fn new(supervisor: MemoryScope, workers: impl IntoIterator<Item = MemoryScope>) -> Self {
        let workers = workers.into_iter().map(|scope| (scope.agent_name.clone(), scope)).collect();
        Self { supervisor, workers }
    }

    /// Returns the scope of the supervisor.
    pub fn supervisor(&self) -> &MemoryScope {
        &self.supervisor
    }

    /// Returns the scope of an agent.
    pub fn of(&self, agent: &str) -> Cow<'_, MemoryScope> {
        match self.workers.get(agent) {
            Some(scope) => Cow::Borrowed(scope),
            None if agent == self.supervisor.agent_name => Cow::Borrowed(&self.supervisor),
            None => Cow::Owned(MemoryScope::new(agent)),
        }
    }

    /// Checks that `agent` may read what `other` has learned.
    ///
    /// # Errors
    /// Unless they are the same, or the agent inherits from the other and the other shares with it.
    pub fn may_read(&self, agent: &str, other: &str) -> Result<(), ScopeError> {
        let refused = |rule| {
            let (agent, other) = (agent.to_owned(), other.to_owned());
            Err(ScopeError::Read { rule, agent, other })
        };
        match agent == other {
            true => Ok(()),
            false if !names(&self.of(agent).inherit_from, other) => refused(ScopeRule::InheritFrom),
            false if !names(&self.of(other).share_with, agent) => refused(ScopeRule::ShareWith),
            false => Ok(()),
        }
    }

    /// Returns whose memories about `topic` an agent reads: its own first, then those that it inherits, in the order of
    /// `inherit_from`. Who may not learn about the topic is not among them, whatever it learned before.
    ///
    /// # Errors
    /// When the agent itself may not learn about the topic: what it may not know, others do not tell it either.
    pub fn sources(&self, agent: &str, topic: &str) -> Result<Vec<String>, ScopeError> {
        self.of(agent).may_learn(topic)?;
        let mut sources = vec![agent.to_owned()];
        for other in &self.of(agent).inherit_from {
            let others = if other == ALL { self.names() } else { vec![other.as_str()] };
            for other in others {
                if self.may_read(agent, other).is_ok() && !sources.iter().any(|s| s == other) {
                    sources.push(other.to_owned());
                }
            }
        }
        sources.retain(|source| self.of(source).may_learn(topic).is_ok());
        Ok(sources)
    }

    /// Checks that the supervisor may give work to `worker`.
    ///
    /// # Errors
    /// As [`MemoryScope::may_delegate`].
    pub fn may_delegate(&self, worker: &WorkerName) -> Result<(), ScopeError> {
        self.supervisor.may_delegate(worker, self.workers.get(worker.as_str()))
    }

    /// Returns what does not fit together: rules that mean nothing where they stand, workers that the supervisor may not give
    /// work to, and inheritance from agents that do not share.
    pub fn faults(&self) -> Vec<ScopeError> {
        let mut faults = self.supervisor.misplaced(true);
        for (name, scope) in &self.workers {
            faults.extend(scope.misplaced(false));
            faults.extend(self.may_delegate(&name.as_str().into()).err());
            let others = scope.inherit_from.iter().filter(|other| *other != ALL);
            faults.extend(others.filter_map(|other| self.may_read(name, other).err()));
        }
        faults
    }

    /// All agents that have a scope.
    fn names(&self) -> Vec<&str> {
        let supervisor = std::iter::once(self.supervisor.agent_name.as_str());
        supervisor.chain(self.workers.keys().map(String::as_str)).collect()
    }
}
