//! What follows from a failure, by the answer of the failure handler.

use jiff::Timestamp;
use orch_core::{Cause, Failure, FailureDecision, SubtaskIndex};

use super::inquiries::PolicyAnswer;
use crate::machine::{Command, after};

/// What follows from a failure.
pub(super) enum Follows {
    This(Box<Command>),
    /// The failure handler has not answered yet.
    Asked,
    /// There is nothing to ask about.
    Nothing,
}

/// Turns the answer of the failure handler into a command.
pub(super) fn follow(
    index: SubtaskIndex,
    answer: Result<PolicyAnswer, Failure>,
    now: Timestamp,
) -> Command {
    match answer {
        Ok(PolicyAnswer::Failure(FailureDecision::Retry {
            after: pause,
            worker,
            reason,
            intervention,
            ..
        })) => {
            let pause = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            let until = after(now, pause);
            Command::Retry { subtask: index, until, worker, reason, intervention }
        }
        Ok(PolicyAnswer::Failure(FailureDecision::GiveUp { reason, .. })) => {
            Command::GiveUp { subtask: index, failure: None, reason }
        }
        Ok(_) => {
            nonsense(index, "the failure handler gave an answer that this engine does not know")
        }
        Err(failure) => {
            Command::GiveUp { subtask: index, failure: Some(failure), reason: String::new() }
        }
    }
}

fn nonsense(subtask: SubtaskIndex, what: &str) -> Command {
    Command::GiveUp {
        subtask,
        failure: Some(Failure::new(Cause::Policy, what)),
        reason: String::new(),
    }
}
