//! `decomposition`: how tasks without a given plan are split.

use orch_core::DecompositionStrategy;
use orch_decompose::TaskDecomposer;
use serde::Deserialize;

/// How tasks without a given plan are split.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Decomposition {
    /// By what; `hybrid` unless set.
    pub strategy: DecompositionStrategy,
    /// The key of the task's context under which the list to split by is.
    pub item_key: Option<String>,
}

impl Default for Decomposition {
    fn default() -> Self {
        Self { strategy: DecompositionStrategy::Hybrid, item_key: None }
    }
}

impl Decomposition {
    pub(super) fn fault(&self) -> Option<String> {
        TaskDecomposer::new(self.strategy).err().map(|error| error.to_string())
    }

    /// Makes the decomposer; `hybrid` in place of a strategy that [`Config::load`](super::Config::load) would refuse.
    pub(crate) fn decomposer(&self) -> TaskDecomposer {
        let decomposer = TaskDecomposer::new(self.strategy).unwrap_or_default();
        match &self.item_key {
            Some(key) => decomposer.with_item_key(key.clone()),
            None => decomposer,
        }
    }
}
