//! `orch run`: runs a task to its end.

use std::path::Path;

use orch_app::{Access, Config, Feeds, Note, Place, TaskFile, Workers};
use orch_core::{ExecutionStrategy, RunSettings};

use super::finished::Finished;
use crate::error::CliError;
use crate::events::EventArgs;
use crate::follow::Following;
use crate::progress::View;
use crate::report::Report;
use crate::session::Session;
use crate::signals::Signals;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A task file (.yaml, .yml, .json), or the task in a sentence.
    #[arg(value_name = "TASK")]
    task: String,
    /// Sets a value of the task's context; a dotted key goes into maps, the value is YAML.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// How many subtasks run at once: sequential, parallel, adaptive.
    #[arg(long)]
    strategy: Option<ExecutionStrategy>,
    /// The most attempts at once.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_parallel: Option<u32>,
    #[command(flatten)]
    events: EventArgs,
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Box<dyn Report>, CliError> {
    let (task, place) = read_task(session, &args)?;
    let config = Config::load(&place)?;
    let workers = Workers::of(&config)?;
    let settings = overridden(task.settings(config.settings()), &args);
    tracing::info!(config = ?config.file, store = %config.store, project_dir = %config.project_dir.display(), "configured");
    orch_app::check(&config, &workers, &task, &settings)?;
    let options = task.options(Note::new(&config, &task).in_settings(settings));

    let sinks = args.events.sinks(session, &config)?;
    let mut signals = Signals::listen()?;
    let store = orch_app::open_store(&config, Access::Create).await?;
    let memory = orch_app::open_memory(&config, store.clone(), Access::Create).await?;
    let supervisor = orch_app::supervisor(&config, &workers, store.clone(), memory, "orch run");
    let view = View::new(session.style);
    let (events, feeds) = (supervisor.subscribe(), Feeds::start(&supervisor, sinks));
    let run = supervisor.submit_with(task.task.clone(), options).await?;
    view.say(&format!("run {run}"));
    if config.project_dir != session.cwd {
        view.say(&format!("project {}", config.project_dir.display()));
    }
    if task.inferred_type {
        view.say(&format!("task type: {} (inferred from the description)", task.task.task_type));
    }
    let following = Following { supervisor: &supervisor, journal: &*store, run, view, feeds };
    let end = following.until_the_end(events, &mut signals).await?;
    Ok(args.events.beside(Finished::of(supervisor, store, run, end, task.show).await?))
}

/// Reads the task, and finds the project and the configuration that go with it.
fn read_task(session: &Session, args: &Args) -> Result<(TaskFile, Place), CliError> {
    let path = Path::new(&args.task);
    let ends_as_file = |ext| ["yaml", "yml", "json"].iter().any(|known| ext == *known);
    // "Tidy up orch.yaml" is a sentence.
    let is_name = !args.task.contains(char::is_whitespace);
    let is_file = is_name && path.extension().is_some_and(ends_as_file) || path.is_file();
    let file = is_file.then_some(path);
    let place = Place::find(&session.cwd, session.config.as_deref(), file)?;
    let task = match file {
        Some(file) => TaskFile::load(file, &args.sets)?,
        None => TaskFile::of_description(&args.task, &args.sets)?,
    };
    Ok((task, place))
}

/// What the command line says counts more than what the task says.
fn overridden(settings: RunSettings, args: &Args) -> RunSettings {
    let max_parallel = args.max_parallel.unwrap_or(settings.max_parallel);
    let strategy = args.strategy.unwrap_or(settings.strategy);
    settings.with_max_parallel(max_parallel).with_strategy(strategy)
}
