//! A project that is open: store, engine, desk, and who is told what happens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use orch_app::{
    Access, AppError, Config, EndDeadline, Feeds, Part, ProjectLocation, Sink, Stores, WebhookSink,
    Workers,
};
use orch_core::journal::{JournalError, RunFilter, RunRow};
use orch_core::{ProjectId, RunId};

use super::{Options, StandaloneError};
use crate::Server;

/// How long closing the store may take at the end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How much longer than the grace time of attempts it takes to leave while the store works.
const LEAVE_MARGIN: Duration = Duration::from_secs(1);
/// How long webhooks have to take what they were not told yet.
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(5);
/// What is kept of the time for the end after the store is closed.
const RESERVE: Duration = Duration::from_millis(300);
/// What is kept of it when webhooks are waited for: the store is closed in it, too.
const CLOSING_RESERVE: Duration = Duration::from_millis(700);

/// A project that is open.
pub(super) struct Opened {
    pub(super) server: Server,
    pub(super) project: ProjectId,
    pub(super) stores: Stores,
    feeds: Feeds,
}

impl Opened {
    /// Opens a project; `lost` are runs that were in a store before, and what happened to it.
    pub(super) async fn open(
        options: &Options,
        lost: BTreeMap<RunId, Arc<str>>,
    ) -> Result<Self, StandaloneError> {
        let location = ProjectLocation::find(&options.folder, options.config.as_deref(), None)?;
        let location = location.with_home(options.home.clone());
        let config = Config::load(&location.with_trust(options.trust, options.state_dir.clone()))?;
        let withheld_commands = config.withheld(&[Part::Commands]);
        let (config, mut workers) = usable(config)?;
        workers.add_agents(&config);
        let sinks = webhooks(&config)?;
        let stores = Stores::new();
        let store = stores.journal(&config, Access::Create).await?;
        let memory = stores.memory(&config, store.clone(), Access::Create).await?;
        let supervisor = orch_app::supervisor(&config, &workers, store, memory, "orch-mcp");
        let feeds = Feeds::start(&supervisor, sinks);
        let mut builder = Server::builder(supervisor, &config.project_dir)
            .settings(config.settings())
            .origin(orch_app::origin_from_environment())
            .withheld_commands(withheld_commands);
        builder.lost = lost;
        let server = builder.build()?;
        server.announce_suspended().await;
        Ok(Self { server, project: config.project, feeds, stores })
    }

    /// Lists the open runs of the project in the file that was opened, wherever it is now.
    pub(super) async fn open_runs(&self) -> Result<Vec<RunRow>, JournalError> {
        let filter = RunFilter::new().with_project(self.project.clone()).with_open(true);
        self.stores.rows_of_open_files(&filter.with_limit(1_000_u32)).await
    }

    /// Gives all runs up, waits a moment for webhooks that are not told everything yet, and closes the store. Attempts get `grace`
    /// to end once they are told to; webhooks and the store share the time until `end`.
    pub(super) async fn close(self, grace: Duration, end: &EndDeadline) {
        let leaving = self.server.leave(grace);
        tokio::pin!(leaving);
        let is_in_time = tokio::time::timeout(grace + LEAVE_MARGIN, &mut leaving).await.is_ok();
        if !is_in_time {
            leaving.await;
        }
        // A store that did not take the end of runs does not say what webhooks were not told.
        let webhooks = if is_in_time { WEBHOOK_TIMEOUT } else { Duration::ZERO };
        let webhooks = end.time_for(webhooks, CLOSING_RESERVE);
        let (lost, is_cut) = self.feeds.finish(webhooks).await;
        if is_cut || lost > 0 {
            tracing::warn!(lost, "not all events were delivered to webhooks");
        }
        // One that does not answer cannot be closed either: what was accepted is in it.
        if is_in_time {
            self.stores.close(end.time_for(CLOSE_TIMEOUT, RESERVE)).await;
        }
    }
}

/// Leaves out of a found configuration what is not used without the user's word, and says so. Its workers are wrong if some of them
/// are, used or not.
fn usable(config: Config) -> Result<(Config, Workers), AppError> {
    let workers = Workers::new(&config)?;
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
    let workers = Workers::pull_only(&config);
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
