//! ALMA's memory of the project, as far as workers are told of it.
//!
//! ```text
//! SQLite file ---+
//!                +--> rows of a project, its agents, a type of task --tell, rank--> entries of a slice
//! JSON files ----+
//! ```
//! **Invariants:** nothing is kept between two calls, as ALMA may have changed it; what cannot be read is a warning, and whoever
//! asked goes on without it.

mod files;
mod recall;
mod row;
mod sqlite;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use orch_core::{BoxError, MemorySlice};

use crate::Embedder;
use row::Wanted;

/// ALMA's memory of a project, in one of ALMA's storages.
#[derive(Debug)]
pub struct Alma {
    storage: Storage,
    /// The project as ALMA calls it.
    project_id: String,
    /// Whether somebody was told that it cannot be read.
    warned: AtomicBool,
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
        Self { storage, project_id: project_id.into(), warned: AtomicBool::new(false) }
    }

    /// Returns what it knows that may help with a task, of all that `agents` have learned, the most similar first.
    pub(crate) async fn recall(
        &self,
        embedder: &dyn Embedder,
        agents: &[String],
        task_type: &str,
        query: &str,
    ) -> MemorySlice {
        let wanted = Wanted { project_id: &self.project_id, agents, task_type };
        let read = match &self.storage {
            Storage::Sqlite(file) => sqlite::read(file, &wanted).await,
            Storage::Files(folder) => files::read(folder, &wanted).await,
        };
        match read {
            Ok(rows) => recall::slice(embedder, query, task_type, &rows).await,
            Err(error) => {
                self.warn(&error);
                MemorySlice::new()
            }
        }
    }

    /// Once is enough: every attempt asks.
    fn warn(&self, error: &BoxError) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "ALMA's memory cannot be read, so workers are not told of it");
        }
    }
}
