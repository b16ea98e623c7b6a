//! How long an attempt is expected to take.

use orch_core::learned::{Expectation, Learned, Typical};
use orch_core::{Subtask, WorkerName};
use serde::Serialize;

/// How an estimate is known, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Basis {
    /// From so many attempts of this worker at this type.
    Worker(u64),
    /// From so many attempts of other workers at this type.
    TaskType(u64),
    /// The plan says so.
    Plan,
    /// Nothing is known.
    Guess,
}

/// What an attempt is expected to take and to cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Estimate {
    /// The median, in milliseconds.
    pub duration_ms: u64,
    /// The 0.9-quantile, in milliseconds; equal to the median where only one number is known.
    pub slow_ms: u64,
    /// How the duration is known.
    pub basis: Basis,
    /// The median of the cost, in millionths of a US dollar; `None` when it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_micro_usd: Option<u64>,
    /// The median of the tokens; `None` when it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
}

/// Which end of the estimates counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Median,
    Slow,
}

impl Estimate {
    pub(super) fn length_ms(&self, length: Length) -> u64 {
        match length {
            Length::Median => self.duration_ms,
            Length::Slow => self.slow_ms,
        }
    }

    /// Estimates an attempt of `worker` at `subtask`: by its own record, else by that of others at the type, else by what the
    /// plan says, else by a guess.
    pub(super) fn of(learned: &Learned, worker: &WorkerName, subtask: &Subtask) -> Self {
        let own = learned.expectation(worker, &subtask.task_type);
        let of_type = || learned.expectation_of_type(&subtask.task_type);
        let duration = |of: &Expectation| of.duration_ms;
        let (Typical { p50, p90, .. }, basis) = match own.as_ref().and_then(duration) {
            Some(typical) => (typical, Basis::Worker(typical.seen)),
            None => match of_type().as_ref().and_then(duration) {
                Some(typical) => (typical, Basis::TaskType(typical.seen)),
                None => return Self::without_memory(subtask),
            },
        };
        let median = |typical: Option<Typical>| typical.map(|typical| typical.p50);
        Self {
            duration_ms: p50,
            slow_ms: p90,
            basis,
            cost_micro_usd: own.as_ref().and_then(|own| median(own.cost_micro_usd)),
            tokens: own.as_ref().and_then(|own| median(own.tokens)),
        }
    }

    fn without_memory(subtask: &Subtask) -> Self {
        let (ms, basis) = match subtask.estimated_duration_ms {
            Some(ms) => (ms, Basis::Plan),
            None => (Subtask::GUESSED_DURATION_MS, Basis::Guess),
        };
        Self { duration_ms: ms, slow_ms: ms, basis, cost_micro_usd: None, tokens: None }
    }
}
