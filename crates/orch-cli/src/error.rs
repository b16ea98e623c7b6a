//! Why a command could not do what it was asked.

use std::io;
use std::path::PathBuf;

use orch_app::AppError;
use orch_core::journal::JournalError;
use orch_core::{BoxError, RunId};
use orch_mcp::CallError;
use orch_memory::{MemoryError, StoreLost};
use orch_supervisor::SupervisorError;
use thiserror::Error;

use crate::exit::Exit;
use crate::text::shown;

/// Why a command could not do what it was asked.
#[derive(Debug, Error)]
pub(crate) enum CliError {
    /// Files, arguments or the store.
    #[error(transparent)]
    App(#[from] AppError),
    /// The engine.
    #[error(transparent)]
    Supervisor(#[from] SupervisorError),
    /// The journal.
    #[error("the journal failed")]
    Journal(#[from] JournalError),
    /// The operating system.
    #[error("the system refused")]
    System(#[from] io::Error),
    /// A tool of the MCP server, called for an agent.
    #[error("{}", crate::desk::in_commands(&.0.to_string()))]
    Call(#[from] CallError),
    /// A signal came before there was a run to suspend.
    #[error(
        "stopped before the run had begun; `orch status --all` lists it if it is there all the same"
    )]
    Stopped,
    /// An argument is wrong in itself.
    #[error("{0}")]
    Argument(String),
    /// No run can be claimed from or reported to.
    #[error("no run is open; `orch status --all` lists those that are over")]
    NoOpenRun,
    /// The store is empty.
    #[error("there are no runs yet")]
    NoRuns,
    /// No id begins so.
    #[error("no run begins with `{0}`; `orch status --all` lists them")]
    UnknownRun(String),
    /// Several ids begin so.
    #[error("several runs begin with `{}`:\n{}", shown(.prefix), .candidates.join("\n"))]
    AmbiguousRun { prefix: String, candidates: Vec<String> },
    /// The plan has no such subtask.
    #[error("run {run} has no subtask `{id}`; {hint}")]
    UnknownSubtask { run: RunId, id: String, hint: String },
    /// Two things would be written to stdout.
    #[error("`--events -` and `--json` both write to stdout; give `--events` a file")]
    TwoDocuments,
    /// The file for events cannot be written.
    #[error("cannot write events to {}", .file.display())]
    Events { file: PathBuf, source: io::Error },
    /// The file of an export cannot be opened, to be written or to be read.
    #[error("cannot open {}", .file.display())]
    File { file: PathBuf, source: io::Error },
    /// The file of a result cannot be read.
    #[error("the result {} cannot be read", .file.display())]
    Unread { file: PathBuf, source: io::Error },
    /// An export of memory cannot be written; the file is as it was.
    #[error("cannot write the export to {}", .file.display())]
    Export { file: PathBuf, source: io::Error },
    /// What was asked for was found or done, and is not where it was to go.
    #[error("cannot write the output to stdout")]
    Output(#[source] io::Error),
    /// Learned memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The store has no learned memory.
    #[error("nothing was learned in this store yet; run a task first")]
    NoMemory,
    /// The file of learned memory has another user, who would be locked out.
    #[error(
        "{file} is ALMA's too, which could not write for as long as this takes; end ALMA, and run `sqlite3 {file} VACUUM`",
        file = .file.display()
    )]
    SharedFile { file: PathBuf },
    /// Memory does not take a person's opinion.
    #[error("memory does not take the score")]
    Feedback(#[source] BoxError),
    /// Memory cannot be read.
    #[error("memory cannot be read")]
    Recall(#[source] BoxError),
    /// No rule's id begins so, or several do.
    #[error("there is no one rule or type `{rule}`; {hint}")]
    NoRule { rule: String, hint: String },
    /// The store of a run was removed, moved or replaced while the run went on.
    #[error("{lost}; {}", after_loss(*.run, lost))]
    StoreLost { run: RunId, lost: StoreLost },
    /// There is nothing left to cancel.
    #[error("run {run} had ended before: {status}")]
    AlreadyEnded { run: RunId, status: String },
}

impl CliError {
    /// Tells whether its message has several lines, in which texts of others are on one. All other messages have one line.
    pub(crate) fn has_lines(&self) -> bool {
        matches!(
            self,
            Self::App(AppError::Invalid(_) | AppError::Plan(_))
                | Self::Call(_)
                | Self::AmbiguousRun { .. }
        )
    }

    /// Returns the exit code's name.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::App(error) => of_app(error),
            Self::Supervisor(SupervisorError::Suspended(_)) | Self::Stopped => Exit::Suspended,
            Self::Supervisor(SupervisorError::Scope(_)) => Exit::Refused,
            Self::Supervisor(_)
            | Self::Journal(_)
            | Self::System(_)
            | Self::Output(_)
            | Self::Memory(_)
            | Self::Feedback(_)
            | Self::Recall(_)
            | Self::StoreLost { .. }
            | Self::AlreadyEnded { .. } => Exit::Failed,
            Self::Call(error) => of_call(error),
            Self::NoRuns
            | Self::NoOpenRun
            | Self::Argument(_)
            | Self::UnknownRun(_)
            | Self::AmbiguousRun { .. }
            | Self::TwoDocuments
            | Self::NoRule { .. }
            | Self::NoMemory
            | Self::SharedFile { .. }
            | Self::Events { .. }
            | Self::File { .. }
            | Self::Unread { .. }
            | Self::Export { .. }
            | Self::UnknownSubtask { .. } => Exit::Usage,
        }
    }
}

/// Returns what became of a run whose store was lost, and what to do.
fn after_loss(run: RunId, lost: &StoreLost) -> String {
    match lost {
        StoreLost::Gone { .. } => format!(
            "run {run} was stopped, and what it had done is in that store only: move it back and call `orch resume {run}`, or run the task again"
        ),
        StoreLost::Copied { .. } => format!(
            "run {run} was stopped, and what it had done since the copy was made is not in it: `orch resume {run}` goes on with what the copy has"
        ),
        StoreLost::Other { .. } | StoreLost::NoStore { .. } | _ => format!(
            "run {run} was stopped, and what it had done is not there: move its store back and call `orch resume {run}`"
        ),
    }
}

fn of_call(error: &CallError) -> Exit {
    match error {
        CallError::NoTool(_) | CallError::Arguments(_) => Exit::Usage,
        CallError::Refused(_) => Exit::Refused,
        CallError::Failed(_) | _ => Exit::Failed,
    }
}

fn of_app(error: &AppError) -> Exit {
    match error {
        AppError::Invalid(_)
        | AppError::Read { .. }
        | AppError::Plan(_)
        | AppError::NotTrusted { .. }
        | AppError::NoStoreList { .. }
        | AppError::Withheld(_)
        | AppError::NoSecret { .. }
        | AppError::Embeddings(_)
        | AppError::Webhook { .. }
        | AppError::NoStore { .. } => Exit::Usage,
        AppError::Store(_) => Exit::Failed,
    }
}
