//! `orch.yaml`: who does the work, and how runs are run. One file per section.

mod aggregation;
mod alma;
mod budget;
mod decomposition;
mod embeddings;
mod limits;
mod memory;
mod postgres;
mod project_location;
mod retry;
mod routing;
mod span;
mod store;
mod supervisor;
mod webhooks;
mod word;
mod workers;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_core::{
    AggregationSettings, Budget, ExecutionStrategy, MemoryScope, ProjectId, RunSettings,
};
use orch_workers::AgentFolder;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::decode::decode;
use crate::document::{Document, Kind, Step};
use crate::error::AppError;
use crate::issue::{Issue, Issues};
use crate::trust::{Trust, check_owners};

pub(crate) use aggregation::{Aggregation, fault as aggregation_fault};
pub use alma::{Alma, AlmaStorage};
pub(crate) use budget::BudgetSection;
pub use decomposition::Decomposition;
pub use embeddings::Embeddings;
pub use limits::Limits;
pub use memory::{AlmaUse, MemoryConfig, MemoryStore};
pub use postgres::PostgresUrl;
pub use project_location::ProjectLocation;
pub use retry::Retry;
pub use routing::Routing;
pub use store::Store;
use supervisor::SupervisorSection;
pub use webhooks::Webhook;
pub(crate) use word::or_map as word_or_map;
pub use workers::{PullConfig, WorkerConfig};

/// The name of the configuration file.
pub const FILE_NAME: &str = "orch.yaml";
/// The file of ALMA that may hold the configuration in the block `orchestration`.
pub const ALMA_FILE: &str = ".alma/config.yaml";
const ALMA_BLOCK: &str = "orchestration";
/// The largest configuration file, in bytes.
const MAX_CONFIG_BYTES: u64 = 1024 * 1024;

/// The configuration of a project, checked.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The file that it was read from; `None` when there is none, and all has its default.
    pub file: Option<PathBuf>,
    /// The folder of the project: relative paths of store and workers start here.
    pub project_dir: PathBuf,
    /// Where runs are kept.
    pub store: Store,
    /// Where what was learned is kept, and what is taken from ALMA.
    pub memory: MemoryConfig,
    /// How ALMA is configured, where the project has it.
    pub alma: Option<Alma>,
    /// The project's name; its locks and what is learned belong to it. ALMA's name for the project unless the configuration
    /// has another; that of its folder when neither says.
    pub project: ProjectId,
    /// How many subtasks run at once.
    pub strategy: ExecutionStrategy,
    /// How workers are chosen.
    pub routing: Routing,
    /// How tasks without a given plan are split.
    pub decomposition: Decomposition,
    /// How results become one.
    pub aggregation: AggregationSettings,
    /// How failed subtasks are tried again.
    pub retry: Retry,
    /// How much, how long, how many.
    pub limits: Limits,
    /// What a run may use up.
    pub budget: Budget,
    /// What the supervisor may do and learn, under its name.
    pub supervisor: MemoryScope,
    /// The workers, in the order of the file.
    pub workers: Vec<(String, WorkerConfig)>,
    /// The agent files of the project and of its user. A worker of the configuration counts before an agent of its name.
    pub agents: Arc<AgentFolder>,
    /// Who is told by HTTP what happens.
    pub webhooks: Vec<Webhook>,
    /// See [`ProjectLocation`].
    pub(crate) is_given: bool,
    /// See [`ProjectLocation`].
    pub(crate) trust: Trust,
    /// See [`ProjectLocation`].
    pub(crate) state_dir: Option<PathBuf>,
}

/// The file as it is written. `workers` is read apart, so that a wrong one does not hide the others.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    store: Store,
    project: Option<String>,
    strategy: Option<ExecutionStrategy>,
    #[serde(deserialize_with = "word::or_map")]
    routing: Routing,
    #[serde(deserialize_with = "word::or_map")]
    decomposition: Decomposition,
    #[serde(deserialize_with = "word::or_map")]
    aggregation: Aggregation,
    #[serde(deserialize_with = "word::map")]
    retry: Retry,
    #[serde(deserialize_with = "word::map")]
    limits: Limits,
    #[serde(deserialize_with = "word::map")]
    budget: BudgetSection,
    #[serde(deserialize_with = "word::map")]
    memory: MemoryConfig,
    #[serde(deserialize_with = "word::map")]
    supervisor: SupervisorSection,
    webhooks: Vec<Webhook>,
    #[serde(rename = "workers")]
    _workers: Option<IgnoredAny>,
}

impl Config {
    /// Reads the configuration of a project, and the agent files there; the defaults when it has none.
    ///
    /// # Errors
    /// When the file cannot be read, with everything that is wrong with it, or when what was found is not the user's own and they
    /// have not said that they trust it.
    pub fn load(location: &ProjectLocation) -> Result<Self, AppError> {
        if !location.trust.is_word() {
            check_owners(location.found())?;
        }
        let Some(file) = &location.config else {
            let document = Document::parse("", None)?;
            return Ok(Self::from_document(&document, &[], location)?);
        };
        let text =
            read_text(file).map_err(|source| AppError::Read { file: file.clone(), source })?;
        let document = Document::parse(&text, Some(file))?;
        let block = if file.ends_with(ALMA_FILE) {
            vec![Step::Key(ALMA_BLOCK.to_owned())]
        } else {
            Vec::new()
        };
        Ok(Self::from_document(&document, &block, location)?)
    }

    fn from_document(
        document: &Document,
        block: &[Step],
        location: &ProjectLocation,
    ) -> Result<Self, Issues> {
        let project_dir = location.project_dir.as_path();
        let root = document.root.get(block);
        if !root.is_some_and(|root| matches!(root.kind, Kind::Map(_))) {
            return Err(Issues(vec![document.issue(block, "is not a map of settings")]));
        }
        let mut issues = Vec::new();
        let file: Option<File> = decode(document, block, &mut issues);
        let workers = workers::read(document, block, &mut issues);
        let Some(file) = file else { return Err(Issues(issues)) };
        let mut note = |field: &[&str], message: Option<String>| {
            let steps =
                block.iter().cloned().chain(field.iter().map(|key| Step::Key((*key).to_owned())));
            issues
                .extend(message.map(|message| document.issue(&steps.collect::<Vec<_>>(), message)));
        };
        note(&["routing"], file.routing.fault());
        note(&["decomposition"], file.decomposition.fault());
        note(&["aggregation"], aggregation::fault(&file.aggregation.0));
        note(&["store"], file.store.fault());
        let (alma, unreadable) = match Alma::read(project_dir, location.expands_alma()) {
            Ok(alma) => (alma, None),
            Err(issue) => (None, Some(issue)),
        };
        if unreadable.is_none() {
            for (field, message) in file.memory.faults(alma.as_ref()) {
                note(field, Some(message));
            }
        }
        for (field, message) in file.limits.faults() {
            note(&["limits", field], Some(message));
        }
        let budget = match file.budget.checked() {
            Ok(budget) => budget,
            Err((field, message)) => {
                note(&["budget", field], Some(message));
                Budget::default()
            }
        };
        for (index, webhook) in file.webhooks.iter().enumerate() {
            let Some((field, message)) = webhook.fault() else { continue };
            let place =
                [Step::Key("webhooks".to_owned()), Step::Index(index), Step::Key(field.to_owned())];
            let steps: Vec<Step> = block.iter().cloned().chain(place).collect();
            issues.push(document.issue(&steps, message));
        }
        match unreadable {
            Some(issue) if file.project.is_none() || file.memory.needs_alma() => issues.push(issue),
            Some(issue) => tracing::warn!("{issue}"),
            None => {}
        }
        let name = file.project.or_else(|| alma.as_ref()?.project_id.clone());
        let config = Self {
            file: document.file.clone(),
            project_dir: project_dir.to_owned(),
            project: name.map_or_else(|| default_project(project_dir), ProjectId::new),
            store: file.store,
            memory: file.memory,
            alma,
            strategy: file.strategy.unwrap_or(ExecutionStrategy::Adaptive),
            routing: file.routing,
            decomposition: file.decomposition,
            aggregation: file.aggregation.0,
            retry: file.retry,
            limits: file.limits,
            budget,
            supervisor: file.supervisor.scope(),
            workers,
            agents: Arc::new(AgentFolder::load(project_dir, location.home.as_deref())),
            webhooks: file.webhooks,
            is_given: location.is_given,
            trust: location.trust,
            state_dir: location.state_dir.clone(),
        };
        for (field, message) in config.scope_faults() {
            let field = field.into_iter().map(Step::Key);
            let steps: Vec<Step> = block.iter().cloned().chain(field).collect();
            issues.push(document.issue(&steps, message));
        }
        Issues::or(issues, config)
    }

    /// Returns the folder of the configuration file; that of the project when there is none.
    pub fn config_dir(&self) -> &Path {
        self.file.as_deref().and_then(Path::parent).unwrap_or(&self.project_dir)
    }

    /// Keeps runs in the project's folder, whatever store is configured.
    #[must_use]
    pub fn with_local_store(mut self) -> Self {
        self.store = Store::default();
        self
    }

    /// Returns the SQLite file in which what was learned is kept; `None` when it is kept in another database.
    pub fn memory_file(&self) -> Option<PathBuf> {
        self.memory.file(&self.project_dir, &self.store, self.alma.as_ref())
    }

    /// Returns ALMA's configuration when workers are told what it knows.
    pub fn alma_read(&self) -> Option<&Alma> {
        let alma = self.alma.as_ref().filter(|alma| match alma.storage {
            AlmaStorage::Sqlite(_) | AlmaStorage::Files(_) => true,
            AlmaStorage::Elsewhere(_) => false,
        });
        alma.filter(|_| cfg!(feature = "alma") && self.memory.alma.read != Some(false))
    }

    /// Returns ALMA's configuration when ALMA is told what workers did.
    pub fn alma_written(&self) -> Option<&Alma> {
        // Anything but SQLite is refused when the configuration is loaded.
        self.alma.as_ref().filter(|_| cfg!(feature = "alma") && self.memory.alma.write)
    }

    /// Returns how runs are run unless their task says otherwise.
    pub fn settings(&self) -> RunSettings {
        let settings = RunSettings::default()
            .with_project(self.project.clone())
            .with_strategy(self.strategy)
            .with_retry(self.retry.policy())
            .with_aggregation(self.aggregation.clone())
            .with_budget(self.budget.clone());
        self.limits.apply(settings)
    }

    /// Makes an issue of a worker's block.
    pub(crate) fn worker_issue(&self, worker: &str, message: impl Into<String>) -> Issue {
        let mut issue = Issue::new(format!("workers.{worker}"), message);
        issue.file.clone_from(&self.file);
        issue
    }
}

/// Reads a configuration file.
fn read_text(file: &Path) -> io::Result<String> {
    Ok(orch_files::read_text(file, MAX_CONFIG_BYTES)?)
}

/// The name of the project's folder.
fn default_project(project_dir: &Path) -> ProjectId {
    let name = project_dir.file_name().map(|name| name.to_string_lossy().into_owned());
    ProjectId::new(name.unwrap_or_else(|| "default".to_owned()))
}
