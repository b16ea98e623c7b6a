//! What is due: offers and leases that ran out, deadlines, used-up budgets, the end of a grace time.

use std::collections::BTreeSet;

use jiff::Timestamp;
use orch_core::{AttemptClosedReason, CancelReason, Cause, Event, Failure, Fence};

use super::attempt::{Attempt, AttemptKind};
use super::failure::out_of_budget;
use super::report::failed;
use super::state::{Stage, State, after};

/// Returns what follows from the time alone. The state must have been advanced to `now`.
pub(super) fn decide(state: &State, now: Timestamp) -> Vec<Event> {
    match &state.stage {
        Stage::Ended(_) => Vec::new(),
        Stage::Cancelling { until, .. } if *until <= now => close_unmanaged(state),
        Stage::Cancelling { .. } => Vec::new(),
        Stage::Planning | Stage::Active => match early_end(state, now) {
            Some((reason, detail)) => {
                let until = after(now, state.settings.grace_ms);
                vec![Event::CancelRequested { reason, until, detail }]
            }
            None => expired(state, now),
        },
    }
}

/// Says why the run is to end before its time, if so.
fn early_end(state: &State, now: Timestamp) -> Option<(CancelReason, String)> {
    if state.task.deadline.is_some_and(|deadline| deadline <= now) {
        return Some((CancelReason::Deadline, "the deadline has passed".to_owned()));
    }
    if let Some(max) = state.settings.budget.max_active_ms
        && state.active_ms(now) >= max
    {
        return Some((CancelReason::Budget, format!("the run was active for {max} ms")));
    }
    out_of_budget(state)
}

/// Offers that nobody took, and claims that lapsed and were not taken over in the time of an offer.
fn expired(state: &State, now: Timestamp) -> Vec<Event> {
    let mut events = Vec::new();
    // Asked in every turn, so it looks at those that are overdue and not at all that are open.
    for (fence, attempt) in unmanaged(state, &state.overdue) {
        debug_assert!(attempt.until <= now, "an attempt is overdue only after its time");
        let failure = match attempt.kind {
            AttemptKind::Offered => Failure::new(
                Cause::Unavailable,
                format!("worker `{}` did not take it", attempt.worker),
            ),
            AttemptKind::Claimed | AttemptKind::Managed => Failure::new(
                Cause::LeaseLost,
                format!("worker `{}` was not heard of any more", attempt.worker),
            ),
        };
        let subtask = attempt.subtask;
        failed(state, subtask, fence, failure, &mut events, |failure| Event::AttemptFailed {
            subtask,
            fence,
            failure,
            digest: None,
            usage: None,
            request_key: None,
        });
    }
    events
}

/// After the grace time nobody is waited for but the engine's own attempts, which are being stopped.
fn close_unmanaged(state: &State) -> Vec<Event> {
    unmanaged(state, &state.open)
        .map(|(fence, attempt)| Event::AttemptClosed {
            subtask: attempt.subtask,
            fence,
            reason: AttemptClosedReason::Cancelled,
        })
        .collect()
}

fn unmanaged<'a>(
    state: &'a State,
    fences: &'a BTreeSet<Fence>,
) -> impl Iterator<Item = (Fence, &'a Attempt)> {
    fences
        .iter()
        .filter_map(|fence| state.attempt(*fence).map(|attempt| (*fence, attempt)))
        .filter(|(_, attempt)| attempt.kind != AttemptKind::Managed)
}
