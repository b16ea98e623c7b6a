//! `orch resume`: goes on with a run.

use orch_app::{Access, Config, ProjectLocation, RunAnnotation, Signals, Workers};
use orch_core::journal::Recorded;
use orch_core::{Event, Seq};

use super::finished::Finished;
use super::followed;
use crate::error::CliError;
use crate::events::EventArgs;
use crate::follow::{Following, GRACE};
use crate::progress::View;
use crate::report::Report;
use crate::runs;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run id, or a unique prefix of it [default: the latest].
    #[arg(value_name = "RUN")]
    run: Option<String>,
    #[command(flatten)]
    events: EventArgs,
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Box<dyn Report>, CliError> {
    let (here, config) = session.project()?;
    let store = session.stores.journal(&config, Access::Existing).await?;
    let run = runs::find(&*store, args.run.as_deref()).await?;
    let history = store.load(run, Seq(0)).await?;
    let note = note_in(&history);
    let config = Config::load(&location_of(session, &note, &here))?;
    tracing::info!(config = ?config.file, project_dir = %config.project_dir.display(), "configured");
    let workers = Workers::new(&config)?;

    let sinks = args.events.sinks(session, &config)?;
    let mut signals = Signals::listen(GRACE, session.end.clone())?;
    let begun = signals.within_time(async {
        let memory = session.stores.memory(&config, store.clone(), Access::Existing).await?;
        let supervisor =
            orch_app::supervisor(&config, &workers, store.clone(), memory, "orch resume")
                .for_client(Session::client());
        let (events, feeds) = (supervisor.subscribe(), sinks.start(&supervisor));
        supervisor.resume(run).await?;
        Ok::<_, CliError>((supervisor, events, feeds))
    });
    let (supervisor, events, feeds) = begun.await.ok_or(CliError::Stopped)??;
    let mut view = View::new(session.style);
    view.skip(&history);
    view.say(&format!("run {run}"));
    let following = Following { supervisor: &supervisor, journal: &*store, run, view, feeds };
    let end = followed::to_the_end(session, &supervisor, following, events, &mut signals).await?;
    let finished = Finished::new(supervisor, store, run, end, note.show, &mut signals).await;
    Ok(args.events.beside(finished))
}

/// The configuration that the run was made with, unless another is named.
fn location_of(session: &Session, note: &RunAnnotation, here: &ProjectLocation) -> ProjectLocation {
    let mut location = note.location(here);
    if session.config.is_some() {
        location.config.clone_from(&here.config);
        location.is_given = here.is_given;
    }
    location
}

/// Returns what was noted with the run of these events.
pub(super) fn note_in(events: &[Recorded]) -> RunAnnotation {
    let Some(Event::RunSubmitted { settings, .. }) = events.first().map(|first| &first.event)
    else {
        return RunAnnotation::default();
    };
    RunAnnotation::from_settings(settings)
}
