//! ALMA's memory of the project: workers are told of it, and it is told what they did.
//!
//! ```text
//! SQLite file ---+
//!                +--> rows of a project, its agents, a type of task --tell, rank--> entries of a slice
//! JSON files ----+
//!
//! events of a run that is over --told--> outcomes of its attempts and of the run --write--> SQLite file
//! ```
//! **Invariants:** nothing is kept between two calls, as ALMA may have changed it; what cannot be read is a warning, and the
//! caller goes on without it.

mod files;
mod recall;
mod row;
mod sqlite;
mod told;
mod write;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use orch_core::journal::Recorded;
use orch_core::{MemorySlice, RunId, Scopes};
use serde::Serialize;

use crate::{Embedder, MemoryError};
use row::Wanted;
use write::WriteError;

/// ALMA's memory of a project, in one of ALMA's storages.
#[derive(Debug)]
pub struct Alma {
    storage: Storage,
    /// The project as ALMA calls it.
    project_id: String,
    is_read: bool,
    writing: Option<Writing>,
    /// Whether somebody was told that it cannot be read.
    unread: AtomicBool,
}

#[derive(Debug)]
struct Writing {
    /// The length of the vectors of ALMA's provider `mock`, where it is configured.
    dimension: Option<u32>,
    /// Whether somebody was told that it cannot be written.
    unwritten: AtomicBool,
}

/// How much orch has written into ALMA's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AlmaWritten {
    /// Attempts of workers.
    pub outcomes: u64,
    /// Those of them that have a vector, without which ALMA does not find them.
    pub vectors: u64,
}

#[derive(Debug)]
enum Storage {
    Sqlite(PathBuf),
    Files(PathBuf),
}

impl Alma {
    /// Names the SQLite file of ALMA's storage `sqlite`, and the project as ALMA calls it. The file need not be there yet.
    pub fn sqlite(file: impl Into<PathBuf>, project_id: impl Into<String>) -> Self {
        Self::of(Storage::Sqlite(file.into()), project_id)
    }

    /// Names the folder of ALMA's storage `file`, and the project as ALMA calls it. The folder need not be there yet.
    pub fn files(folder: impl Into<PathBuf>, project_id: impl Into<String>) -> Self {
        Self::of(Storage::Files(folder.into()), project_id)
    }

    fn of(storage: Storage, project_id: impl Into<String>) -> Self {
        let (project_id, unread) = (project_id.into(), AtomicBool::new(false));
        Self { storage, project_id, is_read: true, writing: None, unread }
    }

    /// Sets whether workers are told what it knows, as they are unless it is said.
    #[must_use]
    pub fn with_reading(mut self, is_read: bool) -> Self {
        self.is_read = is_read;
        self
    }

    /// Tells ALMA of every run that ends how its attempts went, and how the run did; of storage `sqlite` only, as JSON files are
    /// only read. `mock_dimension` is `embedding_dim` where ALMA's provider is `mock`: then there are vectors to find it by.
    #[must_use]
    pub fn with_writing(mut self, mock_dimension: Option<u32>) -> Self {
        let unwritten = AtomicBool::new(false);
        self.writing = Some(Writing { dimension: mock_dimension, unwritten });
        self
    }

    /// Tells whether it is told of runs.
    pub(crate) fn is_written(&self) -> bool {
        matches!(self.storage, Storage::Sqlite(_)) && self.writing.is_some()
    }

    /// Returns how much orch has written; `None` when it writes nothing.
    ///
    /// # Errors
    /// When ALMA's file cannot be read.
    pub async fn written(&self) -> Result<Option<AlmaWritten>, MemoryError> {
        let (Storage::Sqlite(file), Some(_)) = (&self.storage, &self.writing) else {
            return Ok(None);
        };
        if !file.exists() {
            return Ok(Some(AlmaWritten { outcomes: 0, vectors: 0 }));
        }
        let (outcomes, vectors) = write::count(file, &self.project_id).await.map_err(|error| {
            MemoryError::Store { doing: "count what ALMA was told", source: error.into() }
        })?;
        Ok(Some(AlmaWritten { outcomes, vectors }))
    }

    /// Tells ALMA of a run if it is over; the same again changes nothing. What ALMA does not take is a warning.
    ///
    /// # Errors
    /// When ALMA is writing for too long: try again.
    pub(crate) async fn tell(
        &self,
        run: RunId,
        events: &[Recorded],
        scopes: &Scopes,
    ) -> Result<(), MemoryError> {
        let (Storage::Sqlite(file), Some(writing)) = (&self.storage, &self.writing) else {
            return Ok(());
        };
        let Some(told) = told::told(run, events, scopes) else { return Ok(()) };
        match write::write(file, &self.project_id, writing.dimension, &told).await {
            Ok(()) => Ok(()),
            Err(error @ WriteError::Busy(_)) => {
                Err(MemoryError::Store { doing: "tell ALMA of a run", source: error.into() })
            }
            Err(WriteError::Refused(error)) => {
                warn(&writing.unwritten, &*error, "ALMA cannot be told of runs");
                Ok(())
            }
        }
    }

    /// Returns what it knows that may help with a task, of all that `agents` have learned and that `may_know` allows for an agent
    /// and a topic, the most similar first.
    pub(crate) async fn recall(
        &self,
        embedder: &dyn Embedder,
        agents: &[String],
        may_know: impl Fn(&str, &str) -> bool,
        task_type: &str,
        query: &str,
    ) -> MemorySlice {
        if !self.is_read {
            return MemorySlice::new();
        }
        let wanted = Wanted { project_id: &self.project_id, agents, task_type };
        let read = match &self.storage {
            Storage::Sqlite(file) => sqlite::read(file, &wanted).await,
            Storage::Files(folder) => files::read(folder, &wanted).await,
        };
        match read {
            Ok(mut rows) => {
                rows.retain(|(kind, row)| {
                    let agent = row.agent.as_deref().unwrap_or_default();
                    row.topic(*kind).is_none_or(|topic| may_know(agent, topic))
                });
                recall::slice(embedder, query, task_type, &rows).await
            }
            Err(error) => {
                warn(
                    &self.unread,
                    &*error,
                    "ALMA's memory cannot be read, so workers are not told of it",
                );
                MemorySlice::new()
            }
        }
    }
}

/// Once is enough: every attempt asks, and every run tells.
fn warn(warned: &AtomicBool, error: &dyn std::error::Error, what: &str) {
    if !warned.swap(true, Ordering::Relaxed) {
        tracing::warn!(%error, "{what}");
    }
}
