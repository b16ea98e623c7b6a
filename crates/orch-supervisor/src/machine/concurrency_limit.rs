//! How many attempts an adaptive run makes at once: doubles after a full window of successes, halves on trouble.

use orch_core::{Cause, FailureType, Fence};

use super::state::State;

/// The limit and what has happened since it last changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ConcurrencyLimit {
    pub(super) current: u32,
    /// Successes since the last change.
    successes: u32,
    /// The last attempt that was started before the last change.
    changed_after: Fence,
}

impl ConcurrencyLimit {
    pub(super) fn new(current: u32) -> Self {
        Self { current, ..Self::default() }
    }

    pub(super) fn succeeded(&mut self) {
        self.successes = self.successes.saturating_add(1);
    }

    pub(super) fn change(&mut self, limit: u32, last: Fence) {
        *self = Self { current: limit, successes: 0, changed_after: last };
    }
}

/// Returns the new limit after one more success, if it changes.
pub(super) fn after_success(state: &State) -> Option<u32> {
    let limit = &state.concurrency_limit;
    let full = limit.successes + 1 >= limit.current;
    let raised = limit.current.saturating_mul(2).min(state.settings.max_parallel.max(1));
    (state.is_adaptive() && full && raised > limit.current).then_some(raised)
}

/// Returns the new limit after attempt `fence` failed of `cause`, if it changes.
///
/// Only an attempt that started after the last change counts, so that one bad window halves once.
pub(super) fn after_failure(state: &State, fence: Fence, cause: Cause) -> Option<u32> {
    let counts = match cause.failure_type() {
        FailureType::Timeout | FailureType::Quality | FailureType::Unavailable => true,
        FailureType::Error => false,
    };
    let lowered = (state.concurrency_limit.current / 2).max(1);
    (state.is_adaptive()
        && counts
        && fence > state.concurrency_limit.changed_after
        && lowered < state.concurrency_limit.current)
        .then_some(lowered)
}
