//! What all commands share: where they were called, and how they are to write.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use orch_app::{Access, Config, EndDeadline, ProjectLocation, Stores, Trust};
use orch_core::{Client, Journal};

use crate::args::Args;
use crate::error::CliError;

/// How to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    /// One JSON document to stdout.
    pub(crate) json: bool,
    /// No progress and no remarks.
    pub(crate) quiet: bool,
    /// Whether stderr is a terminal that a person looks at.
    pub(crate) live: bool,
}

/// How long closing the stores may take at the end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// What is kept of the time for the end for the steps after that.
const RESERVE: Duration = Duration::from_millis(100);

/// Where and how a command was called, and the stores that it has opened.
pub(crate) struct Session {
    pub(crate) cwd: PathBuf,
    pub(crate) config: Option<PathBuf>,
    pub(crate) trust: Trust,
    pub(crate) style: Style,
    pub(crate) stores: Stores,
    /// When the process must be gone, once somebody has asked it to end.
    pub(crate) end: EndDeadline,
}

impl Session {
    pub(crate) fn new(args: &Args, end: EndDeadline) -> Result<Self, CliError> {
        Ok(Self {
            cwd: std::env::current_dir()?,
            config: args.config.clone(),
            trust: Trust::of_call(args.trust, args.command.trust()),
            style: style(args),
            stores: Stores::new(),
            end,
        })
    }

    /// Returns what the command line is recorded as.
    pub(crate) fn client() -> Client {
        Client::new("orch", env!("CARGO_PKG_VERSION"))
    }

    /// Finds the project, and the configuration that goes with a task file.
    pub(crate) fn location(&self, task_file: Option<&Path>) -> Result<ProjectLocation, CliError> {
        let location = ProjectLocation::find(&self.cwd, self.config.as_deref(), task_file)?;
        Ok(location
            .with_home(std::env::var_os("HOME").map(PathBuf::from))
            .with_trust(self.trust, orch_app::state_dir()))
    }

    /// Loads the configuration of the project that the command was called in.
    pub(crate) fn project(&self) -> Result<(ProjectLocation, Config), CliError> {
        let location = self.location(None)?;
        let config = Config::load(&location)?;
        Ok((location, config))
    }

    /// Opens the store of the project that the command was called in.
    pub(crate) async fn store(&self, access: Access) -> Result<Arc<dyn Journal>, CliError> {
        let (_, config) = self.project()?;
        Ok(self.stores.journal(&config, access).await?)
    }

    /// Closes the stores, however the command went, and begins the end of the process if that has not begun.
    pub(crate) async fn close(&self) {
        self.end.begin(Duration::ZERO);
        self.stores.close(self.end.time_for(CLOSE_TIMEOUT, RESERVE)).await;
    }
}

pub(crate) fn style(args: &Args) -> Style {
    Style { json: args.json, quiet: args.quiet, live: std::io::stderr().is_terminal() }
}
