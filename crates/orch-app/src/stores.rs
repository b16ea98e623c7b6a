//! The stores that a process has open.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use orch_core::Journal;
use orch_core::journal::{JournalError, RunFilter, RunRow};
use orch_memory::{LearnedMemory, SqliteJournal, StoreLost};

use crate::config::Config;
use crate::error::AppError;
use crate::store::{self, Access, OpenStore, open_memory, open_memory_as_it_is};

/// How often somebody looks whether a store is still there.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The stores that a process has open, so that it closes all of them at its end, whatever that is: a SQLite file that everybody
/// has closed is the whole store, without a WAL file beside it.
#[derive(Default)]
pub struct Stores {
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    journals: Vec<Arc<dyn Journal>>,
    /// Those of the journals that are files.
    files: Vec<Arc<SqliteJournal>>,
    memories: Vec<Arc<LearnedMemory>>,
}

impl Stores {
    /// Makes an empty collection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the store of a configuration as [`open_store`](crate::open_store) does.
    ///
    /// # Errors
    /// As there.
    pub async fn journal(
        &self,
        config: &Config,
        access: Access,
    ) -> Result<Arc<dyn Journal>, AppError> {
        let OpenStore { journal, in_file } = store::open(config, access).await?;
        let mut open = self.open();
        open.journals.push(journal.clone());
        open.files.extend(in_file);
        Ok(journal)
    }

    /// Opens the learned memory of a configuration as [`open_memory`] does.
    ///
    /// # Errors
    /// As there.
    pub async fn memory(
        &self,
        config: &Config,
        journal: Arc<dyn Journal>,
        access: Access,
    ) -> Result<Option<Arc<LearnedMemory>>, AppError> {
        let memory = open_memory(config, journal, access).await?;
        self.open().memories.extend(memory.clone());
        Ok(memory)
    }

    /// Opens the learned memory of a configuration as [`open_memory_as_it_is`] does.
    ///
    /// # Errors
    /// As there.
    pub async fn memory_as_it_is(
        &self,
        config: &Config,
        journal: Arc<dyn Journal>,
        access: Access,
    ) -> Result<Option<Arc<LearnedMemory>>, AppError> {
        let memory = open_memory_as_it_is(config, journal, access).await?;
        self.open().memories.extend(memory.clone());
        Ok(memory)
    }

    /// Waits until a store that is a file is not where it was opened: looks every second. Waits for ever for other stores.
    pub async fn lost(&self) -> StoreLost {
        loop {
            tokio::time::sleep(CHECK_INTERVAL).await;
            if let Err(lost) = self.check().await {
                return lost;
            }
        }
    }

    /// Looks whether all stores that are files are still where they were opened.
    ///
    /// # Errors
    /// With what became of the first that is not.
    pub async fn check(&self) -> Result<(), StoreLost> {
        for file in self.files() {
            file.check_file().await?;
        }
        Ok(())
    }

    /// Lists the runs of the files that were opened, wherever these are now.
    ///
    /// # Errors
    /// When one cannot be read.
    pub async fn rows_of_open_files(
        &self,
        filter: &RunFilter,
    ) -> Result<Vec<RunRow>, JournalError> {
        let mut rows = Vec::new();
        for file in self.files() {
            rows.extend(file.rows_of_open_file(filter.clone()).await?);
        }
        Ok(rows)
    }

    fn files(&self) -> Vec<Arc<SqliteJournal>> {
        self.open().files.clone()
    }

    /// Closes all that is open, within `limit`: a store that does not answer must not keep the process. What was acknowledged is
    /// not lost when the time is over, but the WAL file then stays beside a SQLite file, and belongs to it; a warning says so.
    pub async fn close(&self, limit: Duration) {
        let Open { journals, memories, .. } = std::mem::take(&mut *self.open());
        let memories = async {
            for memory in memories {
                memory.close().await;
            }
        };
        let journals = async {
            for journal in journals {
                journal.close().await;
            }
        };
        // The memories first: one may be in the journal's file, and the journal's writer is the one to tidy it up. But a memory that
        // hangs must not keep the journal open.
        let are_memories_closed = tokio::time::timeout(limit / 2, memories).await.is_ok();
        let are_journals_closed = tokio::time::timeout(limit / 2, journals).await.is_ok();
        if !(are_memories_closed && are_journals_closed) {
            tracing::warn!(
                "the store was not closed in time; nothing is lost, but a copy needs the file that ends in -wal, too"
            );
        }
    }

    /// Forgets what is open, for a process that has no time left to close it.
    pub fn leave_open(&self) {
        drop(std::mem::take(&mut *self.open()));
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
