//! What can go wrong with a supervisor as a whole.

use orch_core::journal::JournalError;
use orch_core::{RunId, ScopeError, WorkerName};
use thiserror::Error;

use crate::machine::Refusal;

/// Why a worker was not registered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// A worker of this name is registered already.
    #[error(
        "a worker `{0}` is registered already; unregister or replace it, or choose another name"
    )]
    Taken(WorkerName),
    /// A scope forbids it.
    #[error(transparent)]
    Scope(#[from] ScopeError),
}

/// Why a call on a supervisor failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SupervisorError {
    /// The run refused: see there whether and when to ask again.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A scope forbids it: change the scope, or leave it.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// There is no such run.
    #[error("there is no run {0}")]
    NoRun(RunId),
    /// The run was suspended; nothing is lost, resume it to go on.
    #[error("run {0} is suspended; resume it to go on")]
    Suspended(RunId),
    /// Another process has taken the run over.
    #[error("run {0} has gone to another owner")]
    OwnerChanged(RunId),
    /// There is no memory, or it failed.
    #[error("memory cannot take it")]
    Memory(#[source] orch_core::BoxError),
    /// The journal failed.
    #[error("the journal failed")]
    Journal(#[from] JournalError),
    /// The supervisor has ended.
    #[error("the supervisor has been shut down")]
    ShutDown,
}
