//! One run as a pure state machine.
//!
//! ```text
//! Command --decide(&State, now)--> [Event] --apply--> State --obligations--> what must be going on
//! ```
//!
//! [`decide`] says what follows from a command, [`State::apply`] folds what happened and cannot fail. No I/O, runtime, clock,
//! randomness, policy or memory: policies are asked by the driver, and their answers come in as commands, checked here.
//! Time is a value; [`State::advance`] moves what only waits for it.

mod apply;
mod attempt;
mod attempts;
mod budget;
mod claim;
mod command;
mod concurrency_limit;
mod due;
mod failure;
mod fits;
mod graph;
#[cfg(any(test, feature = "sim"))]
mod invariants;
mod lifecycle;
mod node;
mod obligations;
mod ready;
mod report;
mod start;
mod state;
#[cfg(test)]
mod tests;
mod view;

use jiff::Timestamp;
use orch_core::Event;

pub(crate) use attempt::{AttemptKind, Slot};
pub(crate) use command::{Answer, Claim, Command, Decided, Outcome, Report, Start};
pub use command::{Claimed, Refusal, ReportAnswer, Want};
pub(crate) use node::Node;
#[cfg(any(test, feature = "sim"))]
pub(crate) use node::SubtaskState;
pub(crate) use ready::ClassId;
pub(crate) use start::Blocked;
pub(crate) use state::State;
pub(crate) use state::after;

/// Says what follows from `command`, without changing anything.
///
/// `now` must not be before the last event of the run. The events are to be applied in order, all of them.
///
/// # Errors
/// With the reason when the command cannot be carried out; nothing follows then.
pub(crate) fn decide(state: &State, command: Command, now: Timestamp) -> Result<Decided, Refusal> {
    match command {
        Command::AdoptPlan { plan, base_seq, retire, priors } => {
            lifecycle::adopt_plan(state, plan, base_seq, retire, priors)
        }
        Command::FailPlan { errors } => lifecycle::fail_plan(state, errors),
        Command::Start(start) => start::decide(state, start, now),
        Command::Report(report) => report::decide(state, report, now),
        Command::Claim(claim) => claim::decide(state, claim, now),
        Command::Heartbeat { fence, token } => claim::heartbeat(state, fence, token, now),
        Command::ExtendLeases => Ok(claim::extend_leases(state, now)),
        Command::Lose { fences, cause } => failure::lose(state, &fences, cause),
        Command::Keep(report) => report::keep_stopped(state, &report),
        Command::Close { fence } => failure::close(state, fence),
        Command::Retry { subtask, until, worker, reason, intervention } => {
            failure::retry(state, subtask, until, worker, reason, intervention)
        }
        Command::GiveUp { subtask, failure, reason } => {
            failure::give_up(state, subtask, failure, reason)
        }
        Command::Suspend { reason } => lifecycle::suspend(state, reason),
        Command::Resume { epoch } => lifecycle::resume(state, epoch),
        Command::Cancel { reason, detail } => lifecycle::cancel(state, reason, detail, now),
        Command::End { outcome } => lifecycle::end(state, outcome),
        Command::Tick => Ok(Decided::events(due::decide(state, now))),
    }
}

/// Tells what a run looks like after its first event; there is no state before it.
pub(crate) fn submit(run: orch_core::RunId, event: Event, at: Timestamp) -> Option<State> {
    let Event::RunSubmitted { .. } = &event else { return None };
    let mut state = State::empty(run, at);
    state.apply(orch_core::Seq(1), at, &event);
    Some(state)
}
