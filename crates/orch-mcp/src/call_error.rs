//! Why a call by a caller within the process came to nothing.

use orch_supervisor::SupervisorError;
use thiserror::Error;

use crate::error::ToolError;

/// Why a call came to nothing: each a sentence that says what to do. Nothing has changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CallError {
    /// There is no such tool.
    #[error("there is no tool `{0}`")]
    NoTool(String),
    /// The arguments are wrong, or name what is not there: correct them.
    #[error("{0}")]
    Arguments(String),
    /// As the run stands, it cannot be done.
    #[error("{0}")]
    Refused(String),
    /// The engine or the store failed: try again.
    #[error("{0}")]
    Failed(String),
}

impl From<ToolError> for CallError {
    fn from(error: ToolError) -> Self {
        let sentence = error.to_string();
        match error {
            ToolError::Arguments(_)
            | ToolError::NoRun(_)
            | ToolError::NoSubtask { .. }
            | ToolError::File(_) => Self::Arguments(sentence),
            ToolError::NoPlan { .. }
            | ToolError::NotOurs(_)
            | ToolError::KeyReused { .. }
            | ToolError::NoManagedWorkers
            | ToolError::Withheld(_)
            | ToolError::NotClaimable { .. }
            | ToolError::Engine(SupervisorError::Refused(_) | SupervisorError::Scope(_)) => {
                Self::Refused(sentence)
            }
            ToolError::Engine(_)
            | ToolError::Store(_)
            | ToolError::StoreLost(_)
            | ToolError::RunLost { .. } => Self::Failed(sentence),
        }
    }
}
