//! Learned memory in a SQLite file: the journal's, or another.
//!
//! One connection writes, in short transactions that begin with the lock; a pool of readers reads beside it. What a row means
//! is read and written as JSON in `rows`; sums are read, added to and written back within the transaction.

mod feedback;
mod forget;
mod past;
mod read;
mod rows;
mod rulings;
mod stats;
mod transfer;

use std::collections::HashMap;
use std::path::Path;

use async_trait::async_trait;
use orch_core::learned::{PastRun, WorkerStats};
use orch_core::{ProjectId, RunId, Seq};
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use sqlx::{Connection, Sqlite, Transaction};
use tokio::sync::{Mutex, MutexGuard};

use super::error::OpenError;
use super::open;
use super::options::SqliteOptions;
use crate::learned::{Cell, Evidence, Known, Match, Record, Ruling, Scope, Sink, Store, Told};
use crate::{Forget, Forgotten, MemoryError};

/// The store of learned memory in a SQLite file.
#[derive(Debug)]
pub(crate) struct SqliteStore {
    writer: Mutex<SqliteConnection>,
    readers: SqlitePool,
}

/// The writer's connection; whoever has it is alone with it.
type Writer<'a> = MutexGuard<'a, SqliteConnection>;

impl SqliteStore {
    /// Opens the file at `path`; creates it unless it is only to be read.
    pub(crate) async fn open(path: &Path, options: &SqliteOptions) -> Result<Self, OpenError> {
        let connections = open::open(path, options, &open::MEMORY).await?;
        Ok(Self { writer: Mutex::new(connections.writer), readers: connections.readers })
    }

    /// Begins a transaction that has the file for itself from the start, so that it never has to give up half-way.
    async fn begin<'a>(writer: &'a mut Writer<'_>) -> Result<Transaction<'a, Sqlite>, MemoryError> {
        writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed_to("lock the memory for writing"))
    }
}

fn failed_to(doing: &'static str) -> impl Fn(sqlx::Error) -> MemoryError {
    move |source| MemoryError::Store { doing, source: source.into() }
}

#[async_trait]
impl Store for SqliteStore {
    async fn watermarks(&self, runs: &[RunId]) -> Result<HashMap<RunId, Seq>, MemoryError> {
        read::watermarks(&self.readers, runs).await
    }

    async fn add(&self, evidence: Vec<Evidence>) -> Result<usize, MemoryError> {
        let mut writer = self.writer.lock().await;
        let mut transaction = Self::begin(&mut writer).await?;
        let added = stats::add(&mut transaction, evidence).await?;
        transaction.commit().await.map_err(failed_to("commit what was learned"))?;
        Ok(added)
    }

    async fn known(
        &self,
        project: &ProjectId,
        task_type: Option<&str>,
    ) -> Result<Known, MemoryError> {
        read::known(&self.readers, project, task_type).await
    }

    async fn workers(&self, project: &ProjectId) -> Result<Vec<(Cell, WorkerStats)>, MemoryError> {
        read::workers(&self.readers, project).await
    }

    async fn worker(
        &self,
        project: &ProjectId,
        cell: &Cell,
    ) -> Result<Option<WorkerStats>, MemoryError> {
        let mut conn = self.readers.acquire().await.map_err(failed_to("read the memory"))?;
        stats::worker(&mut conn, project, cell).await
    }

    async fn texts(&self, scope: &Scope<'_>) -> Result<Vec<Match>, MemoryError> {
        read::texts(&self.readers, scope).await
    }

    async fn past_runs(&self, runs: &[RunId]) -> Result<Vec<PastRun>, MemoryError> {
        read::past_runs(&self.readers, runs).await
    }

    async fn feedback(&self, run: RunId, score: f64, note: &str) -> Result<bool, MemoryError> {
        let mut writer = self.writer.lock().await;
        let mut transaction = Self::begin(&mut writer).await?;
        let known = feedback::grade(&mut transaction, run, score, note).await?;
        transaction.commit().await.map_err(failed_to("commit a feedback"))?;
        Ok(known)
    }

    async fn told(&self, run: RunId, told: &Told) -> Result<bool, MemoryError> {
        let mut writer = self.writer.lock().await;
        let mut transaction = Self::begin(&mut writer).await?;
        let known = feedback::told(&mut transaction, run, told).await?;
        transaction.commit().await.map_err(failed_to("commit an outcome"))?;
        Ok(known)
    }

    async fn rule(
        &self,
        project: &ProjectId,
        id: &str,
        ruling: Option<&Ruling>,
    ) -> Result<(), MemoryError> {
        let mut writer = self.writer.lock().await;
        match ruling {
            Some(ruling) => rulings::write(&mut writer, project, ruling).await,
            None => rulings::delete(&mut writer, project, id).await,
        }
    }

    async fn counts(&self, project: &ProjectId) -> Result<(u64, u64), MemoryError> {
        read::counts(&self.readers, project).await
    }

    async fn export(&self, sink: &mut Sink<'_>) -> Result<(), MemoryError> {
        transfer::export(&self.readers, sink).await
    }

    async fn import(&self, records: Vec<Record>) -> Result<(), MemoryError> {
        let mut writer = self.writer.lock().await;
        let mut transaction = Self::begin(&mut writer).await?;
        transfer::import(&mut transaction, records).await?;
        transaction.commit().await.map_err(failed_to("commit an import"))
    }

    async fn forget(&self, what: &Forget, dry: bool) -> Result<Forgotten, MemoryError> {
        let mut writer = self.writer.lock().await;
        let mut transaction = Self::begin(&mut writer).await?;
        let forgotten = forget::forget(&mut transaction, what).await?;
        // What would be forgotten is found out by forgetting it, and not meaning it.
        match dry {
            true => transaction
                .rollback()
                .await
                .map_err(failed_to("keep what was not to be forgotten"))?,
            false => transaction.commit().await.map_err(failed_to("commit what was forgotten"))?,
        }
        Ok(forgotten)
    }

    async fn vacuum(&self) -> Result<(), MemoryError> {
        let mut writer = self.writer.lock().await;
        for statement in ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"] {
            sqlx::query(statement)
                .execute(&mut *writer)
                .await
                .map_err(failed_to("vacuum the memory"))?;
        }
        Ok(())
    }
}
