//! Whether a supervisor may run tasks, and to whom it may give work.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use orch_core::{MemoryScope, ScopeError, Worker, WorkerName};

/// The scope of a supervisor, and the workers that it has refused because of it, or that refuse it.
pub(crate) struct Delegation {
    scope: MemoryScope,
    refused: Mutex<BTreeMap<WorkerName, ScopeError>>,
}

impl Delegation {
    pub(crate) fn new(scope: MemoryScope) -> Self {
        Self { scope, refused: Mutex::default() }
    }

    /// Checks that the supervisor may run tasks.
    pub(crate) fn may_orchestrate(&self) -> Result<(), ScopeError> {
        self.scope.may_orchestrate()
    }

    /// Checks that a worker may be registered, and notes it for [`check`](Self::check) when it may not.
    pub(crate) fn admit(&self, worker: &dyn Worker) -> Result<(), ScopeError> {
        let answer = self.scope.may_delegate(worker.name(), worker.scope());
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        match &answer {
            Ok(()) => drop(refused.remove(worker.name())),
            Err(error) => drop(refused.insert(worker.name().clone(), error.clone())),
        }
        answer
    }

    /// Returns those of the workers that may be registered; the others are logged.
    pub(crate) fn admitted(&self, workers: &[Arc<dyn Worker>]) -> Vec<Arc<dyn Worker>> {
        let admitted = workers.iter().filter(|worker| match self.admit(&***worker) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, "a worker is left out");
                false
            }
        });
        admitted.cloned().collect()
    }

    /// Checks that somebody who asks for work under a name, registered or not, may be given any.
    pub(crate) fn check(&self, worker: &WorkerName) -> Result<(), ScopeError> {
        match self.refused.lock().unwrap_or_else(PoisonError::into_inner).get(worker) {
            Some(error) => Err(error.clone()),
            None => self.scope.may_delegate(worker, None),
        }
    }
}
