//! What follows when attempts fail, are lost or closed: retries, final failures, skipped dependants.

use std::collections::BTreeSet;

use jiff::Timestamp;
use orch_core::{
    AttemptClosedReason, CancelReason, Cause, Event, Failure, Fence, Intervention,
    InterventionSubject, LossCause, SkipReason, SubtaskIndex, WorkerName,
};

use super::attempt::AttemptKind;
use super::command::{Decided, Refusal};
use super::node::SubtaskState;
use super::state::{Stage, State};

/// Losses after which a subtask is taken to kill its supervisors.
const MAX_LOSSES: u32 = 10;

pub(super) fn lose(state: &State, fences: &[Fence], cause: LossCause) -> Result<Decided, Refusal> {
    let mut events = Vec::new();
    for fence in fences {
        let Some(attempt) = state.attempt(*fence).filter(|a| a.kind == AttemptKind::Managed) else {
            continue;
        };
        let subtask = attempt.subtask;
        events.push(Event::AttemptLost { subtask, fence: *fence, cause });
        if cause == LossCause::Restart && state.node(subtask).losses + 1 >= MAX_LOSSES {
            let message = format!("its supervisor died {MAX_LOSSES} times while it ran");
            let failure = Failure::new(Cause::Crash, message);
            events.extend(fail(state, subtask, failure, "it would be lost again".to_owned()));
        }
    }
    Ok(Decided::events(events))
}

/// Closes an attempt that is known to be over and whose result nobody waits for.
pub(super) fn close(state: &State, fence: Fence) -> Result<Decided, Refusal> {
    let attempt = state.attempt(fence).ok_or(Refusal::NotOpen { fence })?;
    let reason = match state.stage {
        Stage::Cancelling { .. } => AttemptClosedReason::Cancelled,
        Stage::Planning | Stage::Active | Stage::Ended(_) => AttemptClosedReason::Superseded,
    };
    Ok(Decided::events(vec![Event::AttemptClosed { subtask: attempt.subtask, fence, reason }]))
}

pub(super) fn retry(
    state: &State,
    subtask: SubtaskIndex,
    until: Timestamp,
    worker: Option<WorkerName>,
    reason: String,
    intervention: Option<Intervention>,
) -> Result<Decided, Refusal> {
    let node = state.node(subtask);
    if node.state != SubtaskState::Undecided || state.stage != Stage::Active {
        return Err(Refusal::NotAsked { question: "the retry" });
    }
    let mut events = Vec::with_capacity(2);
    if let Some(intervention) = intervention {
        events.push(Event::InterventionMade {
            subject: InterventionSubject::Subtask { subtask },
            intervention: Box::new(intervention),
        });
    }
    events.push(Event::RetryScheduled { subtask, retry: node.failures, until, worker, reason });
    Ok(Decided::events(events))
}

pub(super) fn give_up(
    state: &State,
    subtask: SubtaskIndex,
    failure: Option<Failure>,
    reason: String,
) -> Result<Decided, Refusal> {
    let node = state.node(subtask);
    let last = || node.trouble.as_ref().and_then(|t| t.last.clone());
    let failure = match &node.state {
        SubtaskState::Undecided => failure.or_else(last),
        SubtaskState::Ready => failure,
        SubtaskState::Waiting { .. }
        | SubtaskState::Offered { .. }
        | SubtaskState::Running { .. }
        | SubtaskState::Checking { .. }
        | SubtaskState::Backoff { .. }
        | SubtaskState::Done { .. }
        | SubtaskState::Failed { .. }
        | SubtaskState::Skipped { .. }
        | SubtaskState::Cancelled
        | SubtaskState::Retired { .. } => None,
    };
    let failure = failure.ok_or(Refusal::NotAsked { question: "whether to give up" })?;
    Ok(Decided::events(fail(state, subtask, failure, reason)))
}

/// The final failure of a subtask, and all dependants that cannot start any more.
fn fail(state: &State, subtask: SubtaskIndex, failure: Failure, reason: String) -> Vec<Event> {
    let mut events = vec![Event::SubtaskFailed { subtask, failure: Box::new(failure), reason }];
    let mut seen = BTreeSet::from([subtask]);
    let mut next = vec![subtask];
    while let Some(over) = next.pop() {
        for dependant in &state.node(over).dependants {
            let node = state.node(*dependant);
            if node.tolerates(over) || node.state.phase().is_final() || !seen.insert(*dependant) {
                continue;
            }
            events.push(Event::SubtaskSkipped {
                subtask: *dependant,
                because: SkipReason::Dependency { subtask },
            });
            next.push(*dependant);
        }
    }
    events
}

/// Says that the budget is used up: subtasks are ready, none may start, and nothing that runs could free anything.
pub(super) fn out_of_budget(state: &State) -> Option<(CancelReason, String)> {
    if !state.is_active() || state.ready.len() == 0 || !only_ready(state) {
        return None;
    }
    let mut reason = None;
    for index in state.ready.iter() {
        match state.may_start(index) {
            Err(super::Blocked::Budget(why)) => reason = Some(why),
            Ok(_) | Err(super::Blocked::Full { .. } | super::Blocked::Lock(_)) => return None,
        }
    }
    reason.map(|why| (CancelReason::Budget, why.to_owned()))
}

/// Tells whether nothing runs, is offered, backs off or is undecided: time alone will change nothing.
fn only_ready(state: &State) -> bool {
    state.open.is_empty() && state.counts.ready as usize == state.ready.len()
}
