//! Exit codes.

use std::process::ExitCode;

use orch_core::EndStatus;

/// How a command ended, for its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Success,
    Failed,
    Usage,
    Partial,
    /// What was asked cannot be done as the run stands: nothing to claim, or a report that does not count; or a scope forbids it.
    Refused,
    Suspended,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Partial => 3,
            Exit::Refused => 4,
            Exit::Suspended => 130,
        })
    }
}

impl From<EndStatus> for Exit {
    fn from(status: EndStatus) -> Self {
        match status {
            EndStatus::Completed => Self::Success,
            EndStatus::Partial => Self::Partial,
            EndStatus::Failed | EndStatus::Cancelled => Self::Failed,
        }
    }
}
