//! A server made of a project's files: its `orch.yaml`, its store, and its agent files.

use std::path::PathBuf;
use std::time::Duration;

use orch_app::{
    Access, AppError, Config, Feeds, Part, Place, Sink, Stores, Trust, WebhookSink, Workers,
};
use orch_core::ProjectId;
use thiserror::Error;

use crate::Server;

/// How long attempts that the server makes itself get to end once they are told to.
const STOP: Duration = Duration::from_secs(5);
/// How long closing the store may take at the end.
const CLOSING: Duration = Duration::from_secs(2);

/// A server, and the engine behind it.
pub struct Standalone {
    /// The server.
    pub server: Server,
    /// The project that it serves.
    pub project: ProjectId,
    feeds: Feeds,
    stores: Stores,
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
    /// logged as warnings, and so is what of a found configuration is not used without the user's word.
    ///
    /// # Errors
    /// When the configuration is wrong, the store cannot be opened, or one of them is not the user's own.
    pub async fn open(options: &Options) -> Result<Self, StandaloneError> {
        let place = Place::find(&options.folder, options.config.as_deref(), None)?;
        let place = place.with_home(options.home.clone());
        let config = Config::load(&place.with_trust(options.trust, options.state_dir.clone()))?;
        let withheld_commands = config.withheld(&[Part::Commands]);
        let (config, mut workers) = usable(config)?;
        workers.add_agents(&config);
        let sinks = webhooks(&config)?;
        let stores = Stores::new();
        let store = stores.journal(&config, Access::Create).await?;
        let memory = stores.memory(&config, store.clone(), Access::Create).await?;
        let supervisor = orch_app::supervisor(&config, &workers, store, memory, "orch-mcp");
        let feeds = Feeds::start(&supervisor, sinks);
        let server = Server::builder(supervisor, &config.project_dir)
            .settings(config.settings())
            .withheld_commands(withheld_commands)
            .build()?;
        server.announce_suspended().await;
        Ok(Self { server, project: config.project, feeds, stores })
    }

    /// Gives all runs up, see [`Server::leave`], waits a moment for webhooks that are not told everything yet, and closes the
    /// store, so that its file alone is whole.
    pub async fn close(self) {
        self.server.leave(STOP).await;
        let (lost, is_cut) = self.feeds.finish(STOP).await;
        if is_cut || lost > 0 {
            tracing::warn!(lost, "not all events were delivered to webhooks");
        }
        self.stores.close(CLOSING).await;
    }
}

/// Leaves out of a found configuration what is not used without the user's word, and says so. Its workers are wrong if some of them
/// are, used or not.
fn usable(config: Config) -> Result<(Config, Workers), AppError> {
    let workers = Workers::of(&config)?;
    let parts =
        [Part::Store, Part::Embeddings, Part::Webhooks, Part::Commands, Part::AlmaVariables];
    if let Some(sentence) = config.withheld(&parts) {
        tracing::warn!("{sentence} to the server");
    }
    if config.is_trusted() {
        return Ok((config, workers));
    }
    let config = match config.withheld(&[Part::Store]) {
        Some(_) => {
            tracing::warn!("runs are kept in the folder `.orch` of the project until then");
            config.with_local_store()
        }
        None => config,
    };
    let workers = Workers::pull_of(&config);
    Ok((config, workers))
}

/// Who is told what happens.
fn webhooks(config: &Config) -> Result<Vec<Box<dyn Sink>>, AppError> {
    if !config.is_trusted() {
        return Ok(Vec::new());
    }
    let sink = |webhook| Ok(Box::new(WebhookSink::new(webhook)?) as Box<dyn Sink>);
    config.webhooks.iter().map(sink).collect()
}
