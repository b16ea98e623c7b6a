//! Why a call was refused: each a sentence for the model that called, which says what to do.

use orch_core::journal::JournalError;
use orch_core::{RunId, SubtaskId};
use orch_supervisor::{Refusal, SupervisorError};
use thiserror::Error;

/// Why a tool refused.
#[derive(Debug, Error)]
pub(crate) enum ToolError {
    /// The arguments are wrong.
    #[error("{0}")]
    Arguments(String),
    /// No run of this project has the id.
    #[error(
        "There is no orchestration `{0}` in this project; call alma_orchestration_status without arguments to list those that are open."
    )]
    NoRun(String),
    /// The run has no such subtask.
    #[error("Orchestration {run} has no subtask `{id}`; {hint}")]
    NoSubtask {
        /// The run.
        run: RunId,
        /// The name that was given.
        id: String,
        /// What may have been meant.
        hint: String,
    },
    /// The file of a result cannot be taken.
    #[error("{0}")]
    File(#[from] crate::files::FileError),
    /// The plan was refused, and the run is over.
    #[error("There is no plan: {why}. Change the arguments and delegate again.{hint}")]
    NoPlan {
        /// What is wrong with it.
        why: String,
        /// What else may help, after a space.
        hint: &'static str,
    },
    /// The server runs no workers.
    #[error(
        "Mode `managed` needs workers that this server runs, and there are none: add one with `command` and `capabilities` under `workers` of the project's orch.yaml and start the server again, or leave `mode` out to let your own agents do it."
    )]
    NoManagedWorkers,
    /// The key of the request is that of another one.
    #[error(
        "The request_key `{key}` was used for another request, orchestration {run}: for this one pass a new key; for that one call alma_orchestration_status."
    )]
    KeyReused {
        /// The key.
        key: String,
        /// The run of the other request.
        run: RunId,
    },
    /// The server has workers that are commands, and nobody has said that it may run them.
    #[error(
        "This server runs no commands: {0} to the server (its `env` or `args` in the client's configuration), or leave `mode` out to let your own agents do it."
    )]
    Withheld(String),
    /// The run was started by somebody else.
    #[error("Orchestration {0} was not delegated from here; go on with it by `orch resume {0}`.")]
    NotOurs(RunId),
    /// The subtask cannot be claimed now.
    #[error(
        "Subtask `{subtask}` cannot be claimed: {why}. Call alma_claim_subtask without subtask_id to get one that can."
    )]
    NotClaimable {
        /// The subtask.
        subtask: SubtaskId,
        /// What is in the way.
        why: String,
    },
    /// The engine.
    #[error("{}", sentence(.0))]
    Engine(#[from] SupervisorError),
    /// The store.
    #[error("The store failed: {}; try the same call again.", causes(.0))]
    Store(#[from] JournalError),
    /// The store was removed, moved or replaced while the server had it open.
    #[error("{0}")]
    StoreLost(std::sync::Arc<str>),
    /// The run was in a store that was lost.
    #[error("Orchestration {run} is lost: {why} Delegate it again.")]
    RunLost {
        /// The run.
        run: RunId,
        /// What happened to the store, as a sentence.
        why: std::sync::Arc<str>,
    },
}

fn sentence(error: &SupervisorError) -> String {
    match error {
        SupervisorError::Refused(refusal) => of_refusal(refusal),
        SupervisorError::Scope(error) => {
            format!("The configuration of the project forbids it: {error}.")
        }
        SupervisorError::NoRun(run) => ToolError::NoRun(run.to_string()).to_string(),
        SupervisorError::ShutDown => {
            "The server is shutting down; start it again and repeat the call, nothing is lost."
                .to_owned()
        }
        other @ (SupervisorError::Suspended(_)
        | SupervisorError::OwnerChanged(_)
        | SupervisorError::Memory(_)
        | SupervisorError::Journal(_)
        | _) => {
            format!("The engine failed: {}; try the same call again.", causes(other))
        }
    }
}

/// Writes an error with all that is behind it.
fn causes(error: &dyn std::error::Error) -> String {
    let all = std::iter::successors(Some(error), |error| error.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn of_refusal(refusal: &Refusal) -> String {
    let advice = match refusal {
        Refusal::Ended { .. } => "call alma_orchestration_status to see its result",
        Refusal::WhichAttempt { open: 0, .. } => {
            "nobody has this subtask at the moment: call alma_claim_subtask for it first"
        }
        Refusal::WhichAttempt { .. } => "pass `attempt` as it was handed out",
        Refusal::Retry => "nothing is lost",
        Refusal::NoSlot { .. } => "report what it holds first, or claim with more slots",
        Refusal::NoSubtask { .. } => "call alma_orchestration_status with detail to list them",
        Refusal::NoRun { .. }
        | Refusal::NotActive { .. }
        | Refusal::NotReady { .. }
        | Refusal::Blocked { .. }
        | Refusal::NotOpen { .. }
        | Refusal::NotAdmitted { .. }
        | Refusal::NotAsked { .. }
        | Refusal::Unreadable { .. }
        | Refusal::Plan(_)
        | Refusal::Owned { .. }
        | Refusal::ShuttingDown
        | _ => "call alma_orchestration_status to see how it stands",
    };
    format!("Refused: {refusal}; {advice}.")
}
