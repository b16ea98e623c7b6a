//! `orch run`: runs a task to its end.

use orch_app::{Access, RunAnnotation, Signals};

use super::finished::Finished;
use super::followed;
use super::task::{Job, TaskArgs};
use crate::error::CliError;
use crate::events::EventArgs;
use crate::follow::{Following, GRACE};
use crate::progress::View;
use crate::report::Report;
use crate::session::Session;

const EXAMPLES: &str = "Examples:
  orch run task.yaml                             a task file
  orch run task.yaml --set repo=../other         with another value in its context
  ./make-task | orch run -                       a task file from stdin
  orch run 'Fix the parser and add tests'        a sentence: it has blanks in it, and names no file
  orch run -- Refactor                           a sentence, whatever it looks like";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    task: TaskArgs,
    #[command(flatten)]
    events: EventArgs,
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Box<dyn Report>, CliError> {
    let Job { task, config, workers, settings } = args.task.read(session)?;
    orch_app::check(&config, &workers, &task, &settings)?;
    let options = task.options(RunAnnotation::new(&config, &task).in_settings(settings));
    let options = options.origin(orch_app::origin_from_environment());

    let sinks = args.events.sinks(session, &config)?;
    let mut signals = Signals::listen(GRACE, session.end.clone())?;
    let begun = signals.within_time(async {
        let store = session.stores.journal(&config, Access::Create).await?;
        let memory = session.stores.memory(&config, store.clone(), Access::Create).await?;
        let supervisor = orch_app::supervisor(&config, &workers, store.clone(), memory, "orch run")
            .for_client(Session::client());
        let (events, feeds) = (supervisor.subscribe(), sinks.start(&supervisor));
        let run = supervisor.submit_with(task.task.clone(), options).await?;
        Ok::<_, CliError>((store, supervisor, events, feeds, run))
    });
    let (store, supervisor, events, feeds, run) = begun.await.ok_or(CliError::Stopped)??;
    let view = View::new(session.style);
    view.say(&format!("run {run}"));
    if config.project_dir != session.cwd {
        view.say(&format!("project {}", config.project_dir.display()));
    }
    if task.inferred_type {
        view.say(&format!("task type: {} (inferred from the description)", task.task.task_type));
    }
    let following = Following { supervisor: &supervisor, journal: &*store, run, view, feeds };
    let end = followed::to_the_end(session, &supervisor, following, events, &mut signals).await?;
    let finished = Finished::new(supervisor, store, run, end, task.show, &mut signals).await;
    Ok(args.events.beside(finished))
}
