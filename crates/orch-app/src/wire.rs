//! From configuration to a running supervisor.

use std::num::NonZeroUsize;
use std::sync::Arc;

use jiff::Timestamp;
use orch_aggregate::ResultAggregator;
use orch_core::journal::Journal;
use orch_core::{
    DecomposeError, DecompositionPlan, DecompositionRequest, MemorySnapshot, RunSettings,
    ScopeError, Standing, Worker, fit,
};
use orch_failure::RetryingFailureHandler;
use orch_memory::LearnedMemory;
use orch_route::WorkerRouter;
use orch_supervisor::{Builder, Forecast, Inline, Supervisor};
use orch_workers::process::{LeftoverReaper, this_process};
use orch_workers::{AgentWorker, CommandWorker, ProjectPaths, PullWorker};

use crate::config::{Config, PullConfig, WorkerConfig};
use crate::error::AppError;
use crate::issue::{Issue, Issues};
use crate::task::TaskFile;

/// The workers of a configuration, in its order.
#[derive(Clone, Default)]
pub struct Workers {
    all: Vec<Arc<dyn Worker>>,
    /// Those of `all` that fill in templates.
    commands: Vec<Arc<CommandWorker>>,
}

impl Workers {
    /// Makes the workers of `config`.
    ///
    /// # Errors
    /// With every worker that cannot work for any subtask.
    pub fn new(config: &Config) -> Result<Self, AppError> {
        let folders = ProjectPaths::new(
            config.config_dir().to_string_lossy(),
            config.project_dir.to_string_lossy(),
        );
        let (mut workers, mut issues) = (Self::default(), Vec::new());
        for (name, block) in &config.workers {
            match block {
                WorkerConfig::Command(command) => {
                    match CommandWorker::new(name.as_str(), (**command).clone(), folders.clone()) {
                        Ok(worker) => workers.add_command(Arc::new(worker)),
                        Err(error) => issues.push(config.worker_issue(name, with_causes(&error))),
                    }
                }
                WorkerConfig::Pull(pull) => workers.add_pull(name, pull),
            }
        }
        Ok(Issues::or(issues, workers)?)
    }

    /// Makes those workers of `config` that fetch their work themselves.
    pub fn pull_only(config: &Config) -> Self {
        let mut workers = Self::default();
        for (name, block) in &config.workers {
            match block {
                WorkerConfig::Pull(pull) => workers.add_pull(name, pull),
                WorkerConfig::Command(_) => {}
            }
        }
        workers
    }

    /// Adds a worker that the configuration does not have. Unlike those that run commands, it is not checked by [`check`].
    pub fn add(&mut self, worker: Arc<dyn Worker>) {
        self.all.push(worker);
    }

    /// Adds the agents of a configuration to whom the supervisor may give work. Files that are no agents, and scopes that do
    /// not fit those of others, are logged as warnings.
    pub fn add_agents(&mut self, config: &Config) {
        for issue in &config.agents.issues {
            tracing::warn!("skipped the agent file {issue}");
        }
        let scopes = config.scopes();
        let supervisor = &scopes.supervisor().agent_name;
        if config.agents.agents.iter().any(|agent| agent.name == *supervisor) {
            tracing::warn!("the agent `{supervisor}` gets no work: the supervisor has its name");
        }
        for fault in scopes.faults() {
            if let ScopeError::Read { .. } = fault {
                tracing::warn!("an agent inherits less than its file says: {fault}");
            }
        }
        for agent in config.own_agents() {
            match scopes.may_delegate(&agent.name.as_str().into()) {
                Ok(()) => self.add(Arc::new(AgentWorker::from_file(agent))),
                Err(error) => tracing::info!(%error, "an agent gets no work"),
            }
        }
    }

    fn add_pull(&mut self, name: &str, pull: &PullConfig) {
        let mut scope = pull.scope.clone();
        if let Some(scope) = &mut scope {
            name.clone_into(&mut scope.agent_name);
        }
        let worker = PullWorker::new(name, pull.capabilities.clone())
            .with_slots(pull.slots)
            .with_memory_tokens(pull.memory_tokens)
            .with_scope(scope);
        self.all.push(Arc::new(worker));
    }

    fn add_command(&mut self, worker: Arc<CommandWorker>) {
        self.commands.push(worker.clone());
        self.all.push(worker);
    }

    /// Returns all workers.
    pub fn all(&self) -> &[Arc<dyn Worker>] {
        &self.all
    }
}

/// Checks before the run what can be checked before it: that there is a plan, that it is valid, that somebody can do each
/// subtask, and that every command that may be given a subtask can be filled in. Returns the plan as the engine would make it.
///
/// # Errors
/// With everything that is wrong.
pub fn check(
    config: &Config,
    workers: &Workers,
    task: &TaskFile,
    settings: &RunSettings,
) -> Result<DecompositionPlan, AppError> {
    if workers.all.is_empty() {
        return Err(Issues(vec![no_workers(config)]).into());
    }
    let max = NonZeroUsize::new(settings.max_subtasks as usize).unwrap_or(NonZeroUsize::MIN);
    let request =
        DecompositionRequest::new(&task.task, &workers.all, max).with_given(task.plan.as_ref());
    let plan = match config.decomposition.decomposer().plan(&request) {
        Ok(plan) => plan,
        Err(DecomposeError::Invalid(issues)) => {
            let issues = issues.into_iter().map(|issue| plan_issue(task, &issue)).collect();
            return Err(Issues(issues).into());
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Issues::or(template_issues(workers, task, &plan), plan)?)
}

fn no_workers(config: &Config) -> Issue {
    let mut issue = Issue::new("workers", "there are none; add at least one");
    issue.file.clone_from(&config.file);
    if config.file.is_none() {
        issue.message = format!(
            "there are none, as there is no {} beside the task or in {}; write one, or name it by --config",
            crate::config::FILE_NAME,
            config.project_dir.display()
        );
    }
    issue
}

fn plan_issue(task: &TaskFile, issue: &orch_core::PlanIssue) -> Issue {
    let text = issue.to_string();
    // An issue names its subtask in backticks; where that stands is where the issue is.
    let named = text.split_once("subtask `").and_then(|(_, rest)| rest.split('`').next());
    let mut found = named.map_or_else(|| task.issue(""), |id| task.subtask_issue(id, ""));
    found.field = String::new();
    found.message = text;
    found
}

fn template_issues(workers: &Workers, task: &TaskFile, plan: &DecompositionPlan) -> Vec<Issue> {
    let mut issues = Vec::new();
    for subtask in &plan.subtasks {
        let outer = task.task.constraints.clone().unwrap_or_default();
        let constraints = subtask.constraints.clone().unwrap_or_default().within(&outer);
        for worker in &workers.commands {
            let able = constraints.admits(&**worker)
                && fit(&**worker, subtask, &Standing::IDLE).score > 0.0;
            if let Some(issue) =
                able.then(|| worker.check(subtask, &task.task.context).err()).flatten()
            {
                let message =
                    format!("worker `{}` cannot do it: {}", worker.name(), with_causes(&issue));
                issues.push(task.subtask_issue(subtask.id.as_str(), message));
            }
        }
    }
    issues
}

/// Starts a supervisor with all parts of a configuration; `name` is what other processes call it. Without a memory it learns
/// nothing, and knows nothing of earlier runs.
///
/// # Panics
/// Outside a tokio runtime with time enabled.
pub fn supervisor(
    config: &Config,
    workers: &Workers,
    journal: Arc<dyn Journal>,
    memory: Option<Arc<LearnedMemory>>,
    name: impl Into<String>,
) -> Supervisor {
    let mut builder = builder(config, workers)
        .name(name)
        .user(whoami::username().ok())
        .journal(journal)
        .decomposer(config.decomposition.decomposer())
        .aggregator(ResultAggregator::new())
        .reaper(LeftoverReaper::new())
        .process(this_process());
    if let Some(memory) = memory {
        builder = builder.memory(memory);
    }
    builder.build()
}

/// Makes a supervisor without workers, which only says how runs of any process stand.
///
/// # Panics
/// Outside a tokio runtime with time enabled.
pub fn reader(journal: Arc<dyn Journal>) -> Supervisor {
    Supervisor::builder().journal(journal).reaper(LeftoverReaper::new()).build()
}

/// Foretells a run of `plan`, as [`check`] returned it, by what `memory` knows: see [`Builder::forecast`]. `now` is what
/// deadlines are compared with.
pub fn forecast(
    config: &Config,
    workers: &Workers,
    task: &TaskFile,
    plan: &DecompositionPlan,
    settings: &RunSettings,
    memory: &MemorySnapshot,
    now: Timestamp,
) -> Forecast {
    builder(config, workers).forecast(&task.task, plan, settings, memory, now)
}

/// Puts together all that decides who does what and when.
fn builder(config: &Config, workers: &Workers) -> Builder {
    let builder = Supervisor::builder()
        .scope(config.supervisor.clone())
        .workers(workers.all.iter().cloned())
        // A configuration with another strategy is refused when it is loaded.
        .router(Inline(WorkerRouter::new(config.routing.strategy).unwrap_or_default()))
        .failure_handler(Inline(RetryingFailureHandler::new()))
        .settings(config.settings());
    match config.limits.process_cap {
        Some(cap) => builder.process_cap(cap),
        None => builder,
    }
}

/// Writes an error with all its causes.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
