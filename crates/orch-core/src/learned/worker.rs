//! What is known of a worker at a type of subtask.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{FailurePattern, History, Lessons, Spread};
use crate::Cause;

/// What is known of a worker at a type of subtask: sums over its finished attempts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct WorkerStats {
    /// When the first attempt was finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_at: Option<Timestamp>,
    /// How the attempts went. Attempts that were lost or not wanted any more are not among them.
    pub history: History,
    /// How long accepted attempts took, in milliseconds.
    pub duration_ms: Spread,
    /// What attempts cost that said so, in millionths of a US dollar.
    pub cost_micro_usd: Spread,
    /// How many tokens attempts used that said so.
    pub tokens: Spread,
    /// Why attempts failed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub failures: BTreeMap<Cause, FailurePattern>,
    /// What the worker itself says that it has learned.
    #[serde(skip_serializing_if = "Lessons::is_empty")]
    pub lessons: Lessons,
}

impl WorkerStats {
    /// Adds everything that `other` has.
    pub fn merge(&mut self, other: &Self) {
        self.first_at = [self.first_at, other.first_at].into_iter().flatten().min();
        self.history.merge(&other.history);
        self.duration_ms.merge(&other.duration_ms);
        self.cost_micro_usd.merge(&other.cost_micro_usd);
        self.tokens.merge(&other.tokens);
        self.lessons.merge(&other.lessons);
        for (cause, pattern) in &other.failures {
            match self.failures.get_mut(cause) {
                Some(known) => known.merge(pattern),
                None => drop(self.failures.insert(*cause, pattern.clone())),
            }
        }
    }
}
