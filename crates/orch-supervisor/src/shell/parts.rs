//! What a supervisor is made of.

use std::sync::Arc;
use std::time::Duration;

use orch_core::journal::{Journal, ProcessId};
use orch_core::{Aggregator, Decomposer, MemoryScope, OwnerId, RunSettings, Worker};

use super::Clock;
use crate::driver::{Policies, Policy};
use crate::guard::{Guard, GuardedMemory, GuardedReaper};

/// All replaceable parts, ready to run.
pub(crate) struct Parts {
    pub(crate) name: String,
    /// The user whom the process belongs to.
    pub(crate) user: Option<String>,
    /// Its own scope; without, it may do everything under its name.
    pub(crate) scope: Option<MemoryScope>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) decomposer: Arc<dyn Decomposer>,
    pub(crate) aggregator: Arc<dyn Aggregator>,
    pub(crate) policies: Policies,
    pub(crate) memory: Option<GuardedMemory>,
    pub(crate) reaper: GuardedReaper,
    pub(crate) workers: Vec<Arc<dyn Worker>>,
    pub(crate) settings: RunSettings,
    pub(crate) process_cap: u32,
    pub(crate) clock: Clock,
    pub(crate) owner: OwnerId,
    pub(crate) process: ProcessId,
    pub(crate) owner_ttl: Duration,
    pub(crate) guards: Guards,
}

/// The guards of parts that the shell asks.
pub(crate) struct Guards {
    pub(crate) decomposer: Guard,
    pub(crate) aggregator: Guard,
    router: Guard,
    failure_handler: Guard,
    gates: Guard,
}

impl Guards {
    /// Returns the guard of a policy.
    pub(crate) fn policy(&self, policy: Policy) -> &Guard {
        match policy {
            Policy::Router => &self.router,
            Policy::FailureHandler => &self.failure_handler,
            Policy::Gates => &self.gates,
        }
    }
}

impl Default for Guards {
    fn default() -> Self {
        Self {
            decomposer: Guard::new("decomposer"),
            aggregator: Guard::new("aggregator"),
            router: Guard::new("router"),
            failure_handler: Guard::new("failure handler"),
            gates: Guard::new("quality gate"),
        }
    }
}

impl Parts {
    /// Returns the scope of the supervisor.
    pub(crate) fn own_scope(&self) -> MemoryScope {
        self.scope.clone().unwrap_or_else(|| MemoryScope::new(self.name.clone()))
    }
}
