//! What can be asked.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use orch_app::Trust;

use crate::commands;

/// Splits complex tasks, gives the parts to workers, survives failures, and makes one result.
///
/// Exit codes: 0 success, 1 failed, 2 wrong usage or configuration, 3 partial success, 4 nothing to claim or a report that
/// does not count, 130 suspended.
#[derive(Debug, Parser)]
#[command(name = "orch", version, max_term_width = 100)]
pub(crate) struct Args {
    /// The configuration; else orch.yaml beside the task, else from the current folder upwards.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Trusts the folder: its configuration, whoever it is from, for this call, and its store from now on. `run`, `resume`,
    /// `claim`, `report` and `cancel` need it only where files are not your own or orch has not made the store. ORCH_TRUST=1 is
    /// the same for one call.
    #[arg(long, global = true)]
    pub(crate) trust: bool,
    /// Writes one JSON document to stdout.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Writes no progress and no summary, only the data.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Logs more: -v info, -vv debug, -vvv trace. ORCH_LOG says more exactly what.
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
    /// Runs a task to its end.
    Run(commands::run::Args),
    /// Says who would do what and when, how long it takes and what it costs; runs nothing.
    Plan(commands::plan::Args),
    /// Says how a run stands, or lists all runs.
    Status(commands::status::Args),
    /// Shows the output of a run, or what happened to one of its subtasks.
    Show(commands::show::Args),
    /// Goes on with a run that was suspended, or whose process died.
    Resume(commands::resume::Args),
    /// Ends a run with what it has.
    Cancel(commands::cancel::Args),
    /// Shows what was learned from runs; decides about it, moves it, erases it.
    Memory(commands::memory::Args),
    /// Says what the output of a run is worth, so that the next runs are better.
    Feedback(commands::feedback::Args),
    /// Takes a subtask for the agent that calls, and writes what the agent is to do.
    Claim(commands::claim::Args),
    /// Reports what an agent made of a subtask.
    Report(commands::report::Args),
}
