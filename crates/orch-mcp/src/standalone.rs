//! A server made of a project's files: its `orch.yaml`, its store, and its agent files.

mod keeper;
mod opened;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use orch_app::{AppError, EndDeadline, Trust};
use orch_core::ProjectId;
use thiserror::Error;

use crate::Server;
use keeper::Keeper;
use opened::Opened;

/// A server, and the engine behind it. When its store is removed or replaced by a copy, it goes on with what is there, or with a new
/// store; runs that are open and not there are lost, which the log and the answers of calls that name them say.
pub struct Standalone {
    /// The server.
    pub server: Server,
    /// The project that it serves.
    pub project: ProjectId,
    keeper: Keeper,
    end: EndDeadline,
}

/// Where a server finds what it needs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// The folder to start in; the project is found from here upwards.
    pub folder: PathBuf,
    /// The configuration, when it is not the project's.
    pub config: Option<PathBuf>,
    /// The user's home folder, for the agent files there.
    pub home: Option<PathBuf>,
    /// How far the user has vouched for what is found.
    pub trust: Trust,
    /// The folder in which the list of the user's stores is; see [`orch_app::state_dir`].
    pub state_dir: Option<PathBuf>,
}

/// Why there is no server.
#[derive(Debug, Error)]
pub enum StandaloneError {
    /// Configuration or store.
    #[error(transparent)]
    App(#[from] AppError),
    /// The project's folder.
    #[error("cannot use the folder of the project")]
    Project(#[from] std::io::Error),
}

impl Options {
    /// Makes options for a folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            config: None,
            home: None,
            trust: Trust::default(),
            state_dir: None,
        }
    }
}

impl Standalone {
    /// Opens a project: configuration, store, workers of the configuration, agent files. Agent files that are none are
    /// logged as warnings, and so is what of a found configuration is not used without the user's word. The end of the server keeps to
    /// `end`.
    ///
    /// # Errors
    /// When the configuration is wrong, the store cannot be opened, or one of them is not the user's own.
    pub async fn open(options: &Options, end: EndDeadline) -> Result<Self, StandaloneError> {
        let opened = Opened::open(options, BTreeMap::new()).await?;
        let project = opened.project.clone();
        let (server, keeper) = Keeper::start(options.clone(), opened, end.clone());
        Ok(Self { server, project, keeper, end })
    }

    /// Gives all runs up, see [`Server::leave`], waits a moment for webhooks that are not told everything yet, and closes the
    /// store, so that its file alone is whole. Attempts get `grace` to end once they are told to; the rest takes no longer than the
    /// deadline that the server was opened with allows, once that has begun.
    pub async fn close(self, grace: Duration) {
        if let Some(opened) = self.keeper.stop().await {
            opened.close(grace, &self.end).await;
        }
    }
}
