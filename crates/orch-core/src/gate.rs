//! Quality gates: what a result must fulfil to be accepted.

use serde::{Deserialize, Serialize};

use crate::{Subtask, WorkerResult};

/// A cheap gate, as a plan writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Gate {
    /// The output is not null, nor an empty text, list or object.
    NonEmpty,
    /// The output as text (JSON text unless it is a string) has at least this many characters.
    MinLength(u64),
    /// The output as text has at most this many characters.
    MaxLength(u64),
    /// The output is an object with all these keys.
    HasKeys(Vec<String>),
    /// The worker's confidence is at least this many percent, 0 to 100.
    MinConfidencePercent(u8),
}

/// What a gate says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GateVerdict {
    /// Good enough.
    Pass,
    /// Not good enough, with the reason in a sentence.
    Fail(String),
}

/// A check of results. Cheap and pure: it runs within the engine's turn.
pub trait QualityGate: Send + Sync + 'static {
    /// Checks `result`, which answers `subtask`.
    fn check(&self, subtask: &Subtask, result: &WorkerResult) -> GateVerdict;
}

impl QualityGate for Gate {
    fn check(&self, _subtask: &Subtask, _result: &WorkerResult) -> GateVerdict {
        GateVerdict::Pass
    }
}
