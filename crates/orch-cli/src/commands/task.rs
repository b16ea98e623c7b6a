//! The task of `orch run` and `orch plan`: what to do, in which project, how.

use std::io;

use orch_app::{Config, ProjectLocation, TaskFile, Workers};
use orch_core::{ExecutionStrategy, RunSettings};

use crate::error::CliError;
use crate::session::Session;
use crate::task_source::TaskSource;

#[derive(Debug, clap::Args)]
pub(crate) struct TaskArgs {
    /// Task file (YAML or JSON; - is stdin), or the task as a sentence: text with blanks that names no file.
    #[arg(value_name = "TASK", required_unless_present = "sentence", conflicts_with = "sentence")]
    task: Option<String>,
    /// Task as a sentence, whatever it looks like.
    #[arg(last = true, value_name = "SENTENCE")]
    sentence: Vec<String>,
    /// Set a value of the task's context; a dotted key goes into maps, the value is YAML.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Execution strategy: sequential, parallel, adaptive.
    #[arg(long)]
    strategy: Option<ExecutionStrategy>,
    /// Maximum number of attempts at once.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_parallel: Option<u32>,
}

/// A task with all that it takes to run it.
pub(super) struct Job {
    pub(super) task: TaskFile,
    pub(super) config: Config,
    pub(super) workers: Workers,
    pub(super) settings: RunSettings,
}

impl TaskArgs {
    /// Reads the task, and the configuration that goes with it.
    pub(super) fn read(&self, session: &Session) -> Result<Job, CliError> {
        let (task, location) = self.task(session)?;
        let config = Config::load(&location)?;
        let workers = Workers::new(&config)?;
        let settings = self.overridden(task.settings(config.settings()));
        tracing::info!(config = ?config.file, store = %config.store, project_dir = %config.project_dir.display(), "configured");
        Ok(Job { task, config, workers, settings })
    }

    /// Reads the task, and finds the project and the configuration that go with it.
    fn task(&self, session: &Session) -> Result<(TaskFile, ProjectLocation), CliError> {
        let source = match &self.task {
            Some(task) => TaskSource::find(task)?,
            None => TaskSource::sentence(self.sentence.join(" "))?,
        };
        let task = match &source {
            TaskSource::File(file) => TaskFile::load(file, &self.sets)?,
            TaskSource::Stdin => TaskFile::read(io::stdin().lock(), &self.sets)?,
            TaskSource::Sentence(sentence) => TaskFile::of_description(sentence, &self.sets)?,
        };
        let location = session.location(source.file())?;
        Ok((task, location))
    }

    /// What the command line says counts more than what the task says.
    fn overridden(&self, settings: RunSettings) -> RunSettings {
        let max_parallel = self.max_parallel.unwrap_or(settings.max_parallel);
        let strategy = self.strategy.unwrap_or(settings.strategy);
        settings.with_max_parallel(max_parallel).with_strategy(strategy)
    }
}
