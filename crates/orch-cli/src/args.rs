//! What can be asked.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use orch_app::Trust;

use crate::commands;

/// Split a task into subtasks, run them on workers, recover from failures, and combine the results.
///
/// Exit codes: 0 success, 1 failed, 2 wrong usage or configuration, 3 partial success, 4 nothing to claim or a report that
/// does not count, 130 suspended.
#[derive(Debug, Parser)]
#[command(name = "orch", version, max_term_width = 100)]
pub(crate) struct Args {
    /// Configuration file [default: orch.yaml beside the task, else in the current folder or the nearest above it].
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Trust the folder: its configuration for this call, its store from now on. `run`, `resume`, `claim`, `report` and
    /// `cancel` need this only if files belong to somebody else or orch did not make the store. ORCH_TRUST=1 does the same
    /// for one call.
    #[arg(long, global = true)]
    pub(crate) trust: bool,
    /// Write one JSON document to stdout.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Write only the data, without progress and summary.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Log more: -v info, -vv debug, -vvv trace; see ORCH_LOG for filters.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Command {
    /// How far the command itself says that the user trusts what it finds.
    pub(crate) fn trust(&self) -> Trust {
        match self {
            Self::Run(_) | Self::Resume(_) | Self::Cancel(_) | Self::Claim(_) | Self::Report(_) => {
                Trust::OwnFolder
            }
            Self::Plan(_)
            | Self::Status(_)
            | Self::Show(_)
            | Self::Memory(_)
            | Self::Feedback(_) => Trust::Withheld,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a task to its end.
    Run(commands::run::Args),
    /// Forecast a run without starting it: workers, times, costs.
    Plan(commands::plan::Args),
    /// Show the status of a run, or list all runs.
    Status(commands::status::Args),
    /// Show the output of a run, or the history of one of its subtasks.
    Show(commands::show::Args),
    /// Continue a run that was suspended, or whose process died.
    Resume(commands::resume::Args),
    /// Cancel a run and keep its partial results.
    Cancel(commands::cancel::Args),
    /// Show, pin, move or erase what was learned from runs.
    Memory(commands::memory::Args),
    /// Rate the output of a run, to improve later runs.
    Feedback(commands::feedback::Args),
    /// Claim a subtask for an agent, and write its prompt.
    Claim(commands::claim::Args),
    /// Report the result or the failure of a subtask.
    Report(commands::report::Args),
}
