//! From the configuration to an open store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_core::Journal;
use orch_files::{Folder, STATE_FOLDER, state_folder};
use orch_memory::{LearnedMemory, OpenError, SqliteJournal, SqliteOptions};

use crate::config::{Config, PostgresUrl, Store};
use crate::error::AppError;
use crate::trust::{Admission, Part};
use crate::wire::with_causes;

/// How a store is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It must be there; nothing is written.
    Read,
    /// A file must be there; what a database lacks is made.
    Existing,
    /// What is not there is made: file or tables, not the database itself.
    Create,
}

/// A store that is open.
pub(crate) struct OpenStore {
    pub(crate) journal: Arc<dyn Journal>,
    /// The same, when it is a file.
    pub(crate) in_file: Option<Arc<SqliteJournal>>,
}

/// Opens the store of a configuration. The caller closes it: see [`Stores`](crate::Stores).
///
/// # Errors
/// When it cannot be opened, is not there and must be, or is not used without the user's word.
pub async fn open_store(config: &Config, access: Access) -> Result<Arc<dyn Journal>, AppError> {
    Ok(open(config, access).await?.journal)
}

/// Opens the store of a configuration as [`open_store`] does.
pub(crate) async fn open(config: &Config, access: Access) -> Result<OpenStore, AppError> {
    match &config.store {
        Store::Sqlite(path) => {
            let path = config.project_dir.join(path);
            prepare(&config.project_dir, &path, access)
                .map_err(|error| AppError::Store(error.into()))?;
            let file = sqlite(config, path, access).await?;
            Ok(OpenStore { journal: file.clone(), in_file: Some(file) })
        }
        Store::Postgres(url) => match config.withheld(&[Part::Store]) {
            Some(sentence) => Err(AppError::Withheld(sentence)),
            None => Ok(OpenStore { journal: postgres(url, access).await?, in_file: None }),
        },
        // Refused when the configuration is loaded.
        Store::Unsupported(scheme) => Err(AppError::NoStore {
            store: format!("{scheme}://"),
            reason: "this build cannot use it".to_owned(),
        }),
    }
}

/// Sees to a store in the folder `.orch` of the project, whose names are orch's and not a person's: the folder is made as it must
/// be, and no name that SQLite writes to may be a link, as it would write to what the link leads to.
fn prepare(project_dir: &Path, file: &Path, access: Access) -> std::io::Result<()> {
    let within = file.strip_prefix(project_dir.join(STATE_FOLDER)).ok();
    let Some((within, name)) = within.and_then(|path| Some((path.parent()?, path.file_name()?)))
    else {
        return Ok(());
    };
    let project = Folder::open(project_dir)?;
    let mut folder = match access {
        Access::Create => state_folder(&project),
        Access::Read | Access::Existing => project.folder(STATE_FOLDER),
    };
    for part in within.components() {
        folder = match access {
            Access::Create => folder?.make_folder(part),
            Access::Read | Access::Existing => folder?.folder(part),
        };
    }
    let folder = match folder {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        folder => folder?,
    };
    ["", "-wal", "-shm", "-journal"].into_iter().try_for_each(|ending| {
        let mut name = name.to_owned();
        name.push(ending);
        folder.check_file(name)
    })
}

async fn sqlite(
    config: &Config,
    path: PathBuf,
    access: Access,
) -> Result<Arc<SqliteJournal>, AppError> {
    if access != Access::Create && !path.exists() {
        let reason = "does not exist".to_owned();
        return Err(AppError::NoStore { store: path.display().to_string(), reason });
    }
    let admission = Admission::new(config, &path, access).await?;
    let options = SqliteOptions::new().with_read_only(access == Access::Read);
    let opened = SqliteJournal::open(&path, options).await;
    let journal = opened.map_err(|error| AppError::Store(error.into()))?;
    admission.enter(&path, Some(journal.store_id()))?;
    Ok(Arc::new(journal))
}

#[cfg(feature = "postgres")]
async fn postgres(url: &PostgresUrl, access: Access) -> Result<Arc<dyn Journal>, AppError> {
    use orch_memory::{PostgresError, PostgresJournal, PostgresOptions};
    let options = PostgresOptions::new().with_read_only(access == Access::Read);
    match PostgresJournal::open(&url.url()?, options).await {
        Ok(journal) => Ok(Arc::new(journal)),
        Err(PostgresError::Missing { store }) => {
            Err(AppError::NoStore { store, reason: "has no tables of orch".to_owned() })
        }
        Err(error) => Err(AppError::Store(error.into())),
    }
}

#[cfg(not(feature = "postgres"))]
async fn postgres(url: &PostgresUrl, _access: Access) -> Result<Arc<dyn Journal>, AppError> {
    // Refused when the configuration is loaded.
    let reason = "this build cannot use it".to_owned();
    Err(AppError::NoStore { store: url.to_string(), reason })
}

/// Opens the learned memory of a configuration and catches up with what it has not learned yet. There is none to be read where there
/// are no tables of it yet.
///
/// # Errors
/// When it cannot be opened.
pub async fn open_memory(
    config: &Config,
    journal: Arc<dyn Journal>,
    access: Access,
) -> Result<Option<Arc<LearnedMemory>>, AppError> {
    let memory = open_memory_as_it_is(config, journal, access).await?;
    if let Some(memory) = memory.as_ref().filter(|_| access != Access::Read) {
        catch_up(config, memory).await;
    }
    Ok(memory)
}

/// Opens the learned memory of a configuration as [`open_memory`] does, and learns nothing: for an import, which cannot be told from
/// runs that were learned from already.
///
/// # Errors
/// When it cannot be opened.
pub async fn open_memory_as_it_is(
    config: &Config,
    journal: Arc<dyn Journal>,
    access: Access,
) -> Result<Option<Arc<LearnedMemory>>, AppError> {
    if let Some(sentence) = config.withheld(&[Part::Store]) {
        return Err(AppError::Withheld(sentence));
    }
    if config.memory.is_in_alma() && !config.may_use_alma() {
        return Ok(None);
    }
    let opened = match (config.memory_file(), &config.store) {
        (Some(file), _) => memory_in_file(file, journal, access).await?,
        (None, Store::Postgres(url)) => memory_in_postgres(url, journal, access).await?,
        (None, Store::Sqlite(_) | Store::Unsupported(_)) => None,
    };
    let Some(memory) = opened else { return Ok(None) };
    let memory = memory.with_scopes(config.scopes());
    let memory = match config.memory.embeddings.as_ref().filter(|_| config.is_trusted()) {
        Some(embeddings) => memory.with_embedder(embeddings.embedder()?),
        None => memory,
    };
    Ok(Some(Arc::new(beside_alma(config, memory))))
}

/// Learns from earlier runs what was not learned yet. What cannot be learned now can be later; a run does not fail because of it.
pub async fn catch_up(config: &Config, memory: &LearnedMemory) {
    match memory.catch_up(&config.settings().project).await {
        Ok(runs) => tracing::debug!(runs, "learned from earlier runs"),
        Err(error) => {
            tracing::warn!(error = %with_causes(&error), "cannot learn from earlier runs")
        }
    }
}

async fn memory_in_file(
    file: PathBuf,
    journal: Arc<dyn Journal>,
    access: Access,
) -> Result<Option<LearnedMemory>, AppError> {
    let options = SqliteOptions::new().with_read_only(access == Access::Read);
    match LearnedMemory::sqlite(file, &options, journal).await {
        Ok(memory) => Ok(Some(memory)),
        Err(OpenError::Missing { .. } | OpenError::Older { .. }) if access == Access::Read => {
            Ok(None)
        }
        Err(error) => Err(AppError::Store(error.into())),
    }
}

#[cfg(feature = "postgres")]
async fn memory_in_postgres(
    url: &PostgresUrl,
    journal: Arc<dyn Journal>,
    access: Access,
) -> Result<Option<LearnedMemory>, AppError> {
    use orch_memory::{PostgresError, PostgresOptions};
    // One to learn and one to ask: with the journal's six a process has at most eight.
    let options = PostgresOptions::new().with_read_only(access == Access::Read).with_connections(2);
    match LearnedMemory::postgres(&url.url()?, &options, journal).await {
        Ok(memory) => Ok(Some(memory)),
        Err(PostgresError::Missing { .. } | PostgresError::Older { .. })
            if access == Access::Read =>
        {
            Ok(None)
        }
        Err(error) => Err(AppError::Store(error.into())),
    }
}

#[cfg(not(feature = "postgres"))]
async fn memory_in_postgres(
    _: &PostgresUrl,
    _: Arc<dyn Journal>,
    _: Access,
) -> Result<Option<LearnedMemory>, AppError> {
    // Refused when the configuration is loaded.
    Ok(None)
}

#[cfg(feature = "alma")]
fn beside_alma(config: &Config, memory: LearnedMemory) -> LearnedMemory {
    let (read, write) = (config.alma_read().is_some(), config.alma_written().is_some());
    let is_used = (read || write) && config.may_use_alma();
    match config.alma.as_ref().filter(|_| is_used).and_then(|alma| alma.memory(read, write)) {
        Some(alma) => memory.with_alma(config.project.clone(), alma),
        None => memory,
    }
}

#[cfg(not(feature = "alma"))]
fn beside_alma(_: &Config, memory: LearnedMemory) -> LearnedMemory {
    memory
}
