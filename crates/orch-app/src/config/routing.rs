//! `routing`: how workers are chosen.

use orch_core::RoutingStrategy;
use orch_route::WorkerRouter;
use serde::Deserialize;

/// How workers are chosen.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Routing {
    /// By what; `best_fit` unless set.
    pub strategy: RoutingStrategy,
}

impl Default for Routing {
    fn default() -> Self {
        Self { strategy: RoutingStrategy::BestFit }
    }
}

impl Routing {
    pub(super) fn fault(&self) -> Option<String> {
        WorkerRouter::new(self.strategy).err().map(|error| error.to_string())
    }
}
