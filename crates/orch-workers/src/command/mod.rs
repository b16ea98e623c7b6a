//! Workers that are programs.
//!
//! One attempt: templates are filled in (`template`, `variables`), the program is started in its own session (`child`) with
//! its own environment (`environment`), what it wrote is kept up to caps (`capture`) and judged (`outcome`).

#![expect(clippy::result_large_err, reason = "the error type is that of the `Worker` trait")]

mod capture;
mod child;
mod config;
mod environment;
mod outcome;
mod prompt;
mod template;
mod variables;

use std::ffi::OsString;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use orch_core::{
    AttemptInfo, Cause, Digest, JsonMap, MemoryScope, Subtask, Worker, WorkerCapability,
    WorkerContext, WorkerError, WorkerName, WorkerResult,
};
use thiserror::Error;
use tokio::process::Command;

use child::{Limits, Running};
use template::Templates;
use variables::Variables;

pub use config::{CommandConfig, OutputMode, StdinMode};
pub use template::TemplateIssue;

/// Why a command worker cannot be made of its configuration.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CommandError {
    /// `command` names no program.
    #[error("`command` is empty")]
    NoProgram,
    /// A template is wrong whatever the subtask.
    #[error(transparent)]
    Template(#[from] TemplateIssue),
    /// No variable can have this name.
    #[error("`{name}` cannot be the name of an environment variable")]
    #[non_exhaustive]
    VariableName {
        /// The name.
        name: String,
    },
    /// Only the engine sets this variable.
    #[error("the environment variable `{name}` names the attempt and cannot be configured")]
    #[non_exhaustive]
    ReservedVariable {
        /// The name.
        name: String,
    },
}

/// The folders that relative paths of a configuration start at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectPaths {
    pub(crate) config_dir: String,
    pub(crate) project_dir: String,
}

impl ProjectPaths {
    /// Names the folder of the configuration file and that of the project, both absolute.
    pub fn new(config_dir: impl Into<String>, project_dir: impl Into<String>) -> Self {
        Self { config_dir: config_dir.into(), project_dir: project_dir.into() }
    }
}

/// A worker that runs a program for every attempt.
///
/// The program gets the attempt on stdin, in its arguments and in its environment (`ORCH_ATTEMPT` = run/fence,
/// `ORCH_ATTEMPT_TOKEN`, `ORCH_ATTEMPT_NUMBER`, `ORCH_IDEMPOTENCY_KEY`, `ORCH_RUN_ID`, `ORCH_SUBTASK_ID`, `ORCH_RUN_DEPTH`,
/// `TRACEPARENT`).
/// Its stdout is the output; its stderr is kept as evidence, and when it fails its stdout too: of each the beginning and the end,
/// with a line that says how much was left out between them.
///
/// | it ends by | the attempt |
/// |---|---|
/// | a code of `success_exit_codes` | succeeds, if its output can be read; else `bad_output` |
/// | 64, 65, 66 | fails as `invalid_input`, not retried |
/// | 69, 126, 127, or it cannot be started | fails as `unavailable` |
/// | 75 | fails as `reported`, retried |
/// | 77 | fails as `auth`, not retried |
/// | any other code | fails as `reported` |
/// | a signal | fails as `crash` |
/// | a stop or the time limit | hands over its output if it still exits well with any, else `cancelled` or `timeout` |
/// | too much output | `output_limit` |
///
/// However it ends, everything that it has started is killed before the attempt is over: everybody in its process group, and
/// those who left it ([`orphans`](crate::process::orphans), or else [`LeftoverReaper`](crate::process::LeftoverReaper)).
///
/// It has no controlling terminal: a program that opens `/dev/tty` to ask for a password fails at once.
pub struct CommandWorker {
    name: WorkerName,
    config: CommandConfig,
    folders: ProjectPaths,
    templates: Templates,
}

impl CommandWorker {
    /// Makes a worker of its configuration.
    ///
    /// # Errors
    /// When the configuration cannot work for any subtask.
    pub fn new(
        name: impl Into<WorkerName>,
        mut config: CommandConfig,
        folders: ProjectPaths,
    ) -> Result<Self, CommandError> {
        let name = name.into();
        if let Some(scope) = &mut config.scope {
            name.as_str().clone_into(&mut scope.agent_name);
        }
        if config.command.first().is_none_or(String::is_empty) {
            return Err(CommandError::NoProgram);
        }
        environment::check_names(&config)?;
        let templates = Templates::new(fields(&config))?;
        Ok(Self { name, config, folders, templates })
    }

    /// Checks that the worker could fill in its templates for `subtask` of a task with `parent_context`; what depends on
    /// results of dependencies can only be seen when they are there.
    ///
    /// # Errors
    /// When a value is missing, or cannot be an argument.
    pub fn check(&self, subtask: &Subtask, parent_context: &JsonMap) -> Result<(), TemplateIssue> {
        let variables = Variables::of_plan(&self.templates, &self.folders, subtask, parent_context);
        self.templates.check(&variables)
    }

    /// Fills the templates in.
    fn launch(&self, context: &WorkerContext) -> Result<Launch, WorkerError> {
        let variables = Variables::of_attempt(&self.templates, &self.folders, context);
        let mut texts = self.templates.render(&variables).map_err(|issue| {
            WorkerError::new(Cause::InvalidInput, "the command cannot be filled in")
                .with_source(Some(issue.into()))
        })?;
        // The order of `fields`: arguments, variables, folder.
        let rest = texts.split_off(self.config.command.len());
        let set = self.config.env.keys().cloned().zip(rest.iter().cloned());
        let cwd = rest.get(self.config.env.len()).map_or("", String::as_str);
        let program = texts.remove(0);
        Ok(Launch {
            arguments: texts,
            environment: environment::of_attempt(
                &self.config.env_allow,
                set,
                &context.attempt,
                &context.subtask.id,
            ),
            cwd: Path::new(&self.folders.project_dir).join(cwd),
            path: self.program_path(&program),
            program,
        })
    }

    fn program_path(&self, program: &str) -> PathBuf {
        if program.contains('/') {
            Path::new(&self.folders.config_dir).join(program)
        } else {
            PathBuf::from(program)
        }
    }

    fn input(&self, context: &WorkerContext) -> Result<Vec<u8>, WorkerError> {
        match self.config.stdin {
            StdinMode::Context => serde_json::to_vec(context).map_err(|e| {
                WorkerError::new(Cause::InvalidInput, "the context cannot be written as JSON")
                    .with_source(Some(e.into()))
            }),
            StdinMode::Prompt => Ok(prompt::prompt(context).into_bytes()),
            StdinMode::None => Ok(Vec::new()),
        }
    }

    fn limits(&self, context: &WorkerContext) -> Limits {
        Limits {
            timeout: Duration::from_millis(context.attempt.timeout_ms),
            grace: self.config.grace,
            max_stdout: self.config.max_output_bytes,
            max_stderr: self.config.max_stderr_bytes,
        }
    }
}

/// All that is needed to start a program.
struct Launch {
    /// As it was configured, for messages.
    program: String,
    path: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, OsString)>,
    cwd: PathBuf,
}

impl Launch {
    fn start(&self, with_input: bool, attempt: &AttemptInfo) -> Result<Running, WorkerError> {
        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .current_dir(&self.cwd)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        Running::spawn(command, with_input, attempt).map_err(|error| self.cannot_start(error))
    }

    fn cannot_start(&self, error: io::Error) -> WorkerError {
        // The system says "not found" of the folder too.
        if !self.cwd.is_dir() {
            let message = format!("`{}`: there is no folder {}", self.program, self.cwd.display());
            return WorkerError::new(Cause::InvalidInput, message);
        }
        let refused = [io::ErrorKind::InvalidInput, io::ErrorKind::ArgumentListTooLong];
        let cause =
            if refused.contains(&error.kind()) { Cause::InvalidInput } else { Cause::Unavailable };
        WorkerError::new(cause, format!("`{}` cannot be started", self.program))
            .with_source(Some(error.into()))
    }
}

/// Every template with the place where it stands: arguments, variables, folder.
fn fields(config: &CommandConfig) -> Vec<(String, String)> {
    let arguments =
        config.command.iter().enumerate().map(|(i, t)| (format!("command[{i}]"), t.clone()));
    let variables = config.env.iter().map(|(name, t)| (format!("env.{name}"), t.clone()));
    let folder = config.cwd.iter().map(|t| ("cwd".to_owned(), t.clone()));
    arguments.chain(variables).chain(folder).collect()
}

#[async_trait]
impl Worker for CommandWorker {
    fn name(&self) -> &WorkerName {
        &self.name
    }

    fn capabilities(&self) -> &[WorkerCapability] {
        &self.config.capabilities
    }

    /// What it runs, and how it is asked and read. Values of variables are left out: they may be secrets.
    fn content(&self) -> Option<Digest> {
        let CommandConfig { command, stdin, output, success_exit_codes, .. } = &self.config;
        Digest::of_json(&(command, stdin, output, success_exit_codes)).ok()
    }

    fn scope(&self) -> Option<&MemoryScope> {
        self.config.scope.as_ref()
    }

    fn memory_tokens(&self) -> u32 {
        self.config.memory_tokens
    }

    fn max_concurrency(&self) -> NonZeroU32 {
        const DEFAULT: NonZeroU32 = NonZeroU32::new(8).unwrap();
        self.config.max_concurrency.unwrap_or(DEFAULT)
    }

    fn timeout(&self) -> Option<Duration> {
        self.config.timeout
    }

    async fn execute(&self, context: WorkerContext) -> Result<WorkerResult, WorkerError> {
        if context.stop.is_stopped() {
            return Err(WorkerError::new(Cause::Cancelled, "asked to stop before it began"));
        }
        let launch = self.launch(&context)?;
        let input = self.input(&context)?;
        let with_input = self.config.stdin != StdinMode::None;
        let running = launch.start(with_input, &context.attempt)?;
        if let (Some(log), Some(process)) = (&context.processes, running.process()) {
            log.started(process.clone());
        }
        let finished = running
            .finish(&input, &self.limits(&context), &context.stop)
            .await
            .map_err(|error| lost_sight(&launch.program, error))?;
        outcome::judge(&self.name, &context.subtask, &self.config, &launch.program, &finished)
    }
}

fn lost_sight(program: &str, error: io::Error) -> WorkerError {
    WorkerError::new(Cause::Crash, format!("`{program}` cannot be waited for"))
        .with_source(Some(error.into()))
}
