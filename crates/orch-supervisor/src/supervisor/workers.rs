//! Who is registered with a supervisor.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use orch_core::{ScopeError, Worker, WorkerName};

use super::Supervisor;
use crate::driver::Input;
use crate::error::RegisterError;

/// Registered workers, by name.
pub(super) type Workers = BTreeMap<WorkerName, Arc<dyn Worker>>;

impl Supervisor {
    /// Returns the workers that are registered, by name.
    pub fn workers(&self) -> Vec<Arc<dyn Worker>> {
        self.registered().values().cloned().collect()
    }

    /// Returns the worker that is registered under a name.
    pub fn worker(&self, name: &WorkerName) -> Option<Arc<dyn Worker>> {
        self.registered().get(name).cloned()
    }

    /// Adds a worker; runs that wait for one like it go on at once.
    ///
    /// # Errors
    /// When a worker of this name is registered already, see [`replace_worker`](Self::replace_worker); or when the supervisor
    /// may not give work to it, with the rule that forbids it.
    pub fn register_worker(&self, worker: impl Worker) -> Result<(), RegisterError> {
        let mut workers = self.registered();
        if workers.contains_key(worker.name()) {
            return Err(RegisterError::Taken(worker.name().clone()));
        }
        self.inner.delegation.admit(&worker)?;
        self.join(&mut workers, Arc::new(worker));
        Ok(())
    }

    /// Puts a worker in the place of the one of the same name, or adds it when there is none; returns the former. Attempts that
    /// the former is making go on.
    ///
    /// # Errors
    /// When the supervisor may not give work to it, with the rule that forbids it.
    pub fn replace_worker(
        &self,
        worker: impl Worker,
    ) -> Result<Option<Arc<dyn Worker>>, ScopeError> {
        let mut workers = self.registered();
        self.inner.delegation.admit(&worker)?;
        Ok(self.join(&mut workers, Arc::new(worker)))
    }

    fn join(&self, workers: &mut Workers, worker: Arc<dyn Worker>) -> Option<Arc<dyn Worker>> {
        let mut slots = self.inner.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.insert(worker.name().clone(), worker.max_concurrency().get());
        drop(slots);
        let former = workers.insert(worker.name().clone(), worker.clone());
        // A closed channel means that the engine has ended, and nothing more will be given to anybody. Sent while the map is
        // locked, so that the engine learns in the same order.
        let _ = self.inner.events.send(Input::Register(worker));
        former
    }

    /// Removes a worker; attempts that it is making go on.
    pub fn unregister_worker(&self, name: impl Into<WorkerName>) {
        let name = name.into();
        let mut workers = self.registered();
        workers.remove(&name);
        let _ = self.inner.events.send(Input::Unregister(name));
    }

    fn registered(&self) -> MutexGuard<'_, Workers> {
        self.inner.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
