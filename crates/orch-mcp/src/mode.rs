//! Who does the subtasks of a run: the client's agents, the workers that the server runs, or both.

use orch_core::{WorkerKind, WorkerName};
use serde::{Deserialize, Serialize};

use crate::answer::short;
use crate::desk::Desk;
use crate::error::ToolError;

/// Who may do the subtasks of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// The client's agents, and other workers that fetch their work.
    #[default]
    External,
    /// Those that the server runs itself.
    Managed,
    /// Both.
    Mixed,
}

impl Mode {
    /// Returns the only kind of worker that may do something, if there is one.
    pub(crate) fn kind(self) -> Option<WorkerKind> {
        match self {
            Self::External => Some(WorkerKind::Pull),
            Self::Managed => Some(WorkerKind::Managed),
            Self::Mixed => None,
        }
    }

    /// Tells whether the server may run something for such a run.
    pub(crate) fn runs_workers(self) -> bool {
        match self {
            Self::External => false,
            Self::Managed | Self::Mixed => true,
        }
    }
}

/// Refuses a mode that no worker is there for, and workers that are not for this mode.
pub(crate) fn check(desk: &Desk, mode: Mode, named: &[WorkerName]) -> Result<(), ToolError> {
    let managed = desk.managed_workers();
    if let Some(why) = desk.withheld_commands.as_ref().filter(|_| mode.runs_workers()) {
        return Err(ToolError::Withheld(why.clone()));
    }
    match mode {
        Mode::Mixed => Ok(()),
        Mode::External => match named.iter().find(|name| managed.contains(name)) {
            Some(name) => Err(ToolError::Arguments(format!(
                "Worker `{name}` is run by this server and not by you; pass mode `managed` or `mixed` to use it."
            ))),
            None => Ok(()),
        },
        Mode::Managed if managed.is_empty() => Err(ToolError::NoManagedWorkers),
        Mode::Managed => match named.iter().find(|name| !managed.contains(name)) {
            Some(name) => Err(ToolError::Arguments(format!(
                "Worker `{}` is not run by this server, which has: {}. Name one of them, or pass mode `mixed` to use your agents too.",
                short(name.as_str(), 60),
                list(&managed)
            ))),
            None => Ok(()),
        },
    }
}

fn list(names: &[WorkerName]) -> String {
    let names: Vec<&str> = names.iter().map(WorkerName::as_str).collect();
    short(&names.join(", "), 400)
}
