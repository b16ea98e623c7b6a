//! Learned memory in tables, the same in every database.
//!
//! A transaction that writes has the memory for itself from the start, so that sums can be read, added to and written back, and
//! no writer has to give up half-way. What a row means is read and written as JSON in `rows`.

mod export;
mod feedback;
mod forget;
mod import;
mod past;
mod read;
mod rows;
mod rulings;
mod stats;
mod untold;

use std::collections::HashMap;

use async_trait::async_trait;
use orch_core::learned::{PastRun, WorkerStats};
use orch_core::{ProjectId, RunId, Seq};
use sqlx::pool::PoolConnection;
use sqlx::{Pool, Transaction};

use crate::learned::{Cell, Evidence, Known, Match, Record, Ruling, Scope, Sink, Store};
use crate::memory_error::failed_to;
use crate::sql::{Conn, Dialect, sql};
use crate::{Forget, Forgotten, Imported, MemoryError};

/// The store of learned memory in a database.
#[derive(Debug)]
pub(crate) struct Tables<D: Dialect> {
    pub(crate) writers: Pool<D>,
    pub(crate) readers: Pool<D>,
}

impl<D: Dialect> Tables<D> {
    async fn reader(&self) -> Result<PoolConnection<D>, MemoryError> {
        self.readers.acquire().await.map_err(failed_to("read the memory"))
    }

    /// Begins to read everything as it is at one moment.
    async fn snapshot(&self) -> Result<Transaction<'static, D>, MemoryError> {
        self.readers.begin_with(D::BEGIN_READ).await.map_err(failed_to("read the memory"))
    }

    /// Begins to write, as the only one who does.
    async fn begin(&self) -> Result<Transaction<'static, D>, MemoryError> {
        let failed = failed_to("lock the memory for writing");
        let mut transaction = self.writers.begin_with(D::BEGIN_WRITE).await.map_err(&failed)?;
        if let Some(lock) = D::LOCK_MEMORY {
            sql(lock).execute(&mut Conn::from(&mut transaction)).await.map_err(&failed)?;
        }
        Ok(transaction)
    }
}

#[async_trait]
impl<D: Dialect> Store for Tables<D> {
    async fn watermarks(&self, runs: &[RunId]) -> Result<HashMap<RunId, Seq>, MemoryError> {
        let mut conn = self.reader().await?;
        read::watermarks(&mut Conn::from(&mut conn), runs).await
    }

    async fn add(&self, evidence: Vec<Evidence>) -> Result<usize, MemoryError> {
        let mut transaction = self.begin().await?;
        let added = stats::add(&mut Conn::from(&mut transaction), evidence).await?;
        transaction.commit().await.map_err(failed_to("commit what was learned"))?;
        Ok(added)
    }

    async fn known(
        &self,
        project: &ProjectId,
        task_type: Option<&str>,
    ) -> Result<Known, MemoryError> {
        read::known(&mut Conn::from(&mut self.snapshot().await?), project, task_type).await
    }

    async fn workers(&self, project: &ProjectId) -> Result<Vec<(Cell, WorkerStats)>, MemoryError> {
        read::workers(&mut Conn::from(&mut self.reader().await?), project).await
    }

    async fn worker(
        &self,
        project: &ProjectId,
        cell: &Cell,
    ) -> Result<Option<WorkerStats>, MemoryError> {
        let mut conn = self.reader().await?;
        stats::worker(&mut Conn::from(&mut conn), project, cell).await
    }

    async fn texts(&self, scope: &Scope<'_>) -> Result<Vec<Match>, MemoryError> {
        read::texts(&mut Conn::from(&mut self.reader().await?), scope).await
    }

    async fn past_runs(&self, runs: &[RunId]) -> Result<Vec<PastRun>, MemoryError> {
        read::past_runs(&mut Conn::from(&mut self.reader().await?), runs).await
    }

    async fn runs(
        &self,
        project: &ProjectId,
        prefix: &str,
    ) -> Result<Vec<(RunId, String)>, MemoryError> {
        read::runs(&mut Conn::from(&mut self.reader().await?), project, prefix).await
    }

    async fn feedback(&self, run: RunId, score: f64, note: &str) -> Result<bool, MemoryError> {
        let mut transaction = self.begin().await?;
        let known = feedback::grade(&mut Conn::from(&mut transaction), run, score, note).await?;
        transaction.commit().await.map_err(failed_to("commit a feedback"))?;
        Ok(known)
    }

    #[cfg(feature = "alma")]
    async fn untold(&self, project: &ProjectId) -> Result<Vec<RunId>, MemoryError> {
        let mut conn = self.reader().await?;
        untold::all(&mut Conn::from(&mut conn), project).await
    }

    #[cfg(feature = "alma")]
    async fn told(&self, project: &ProjectId, run: RunId) -> Result<(), MemoryError> {
        let mut transaction = self.begin().await?;
        untold::clear(&mut Conn::from(&mut transaction), project, run).await?;
        transaction.commit().await.map_err(failed_to("commit that ALMA was told of a run"))
    }

    async fn rule(
        &self,
        project: &ProjectId,
        id: &str,
        ruling: Option<&Ruling>,
    ) -> Result<(), MemoryError> {
        let mut transaction = self.begin().await?;
        match ruling {
            Some(ruling) => {
                rulings::write(&mut Conn::from(&mut transaction), project, ruling).await?
            }
            None => rulings::delete(&mut Conn::from(&mut transaction), project, id).await?,
        }
        transaction.commit().await.map_err(failed_to("commit what was decided about a rule"))
    }

    async fn counts(&self, project: &ProjectId) -> Result<(u64, u64), MemoryError> {
        read::counts(&mut Conn::from(&mut self.reader().await?), project).await
    }

    async fn export(&self, sink: &mut Sink<'_>) -> Result<(), MemoryError> {
        export::export(&mut Conn::from(&mut self.snapshot().await?), sink).await
    }

    async fn import(&self, records: Vec<Record>) -> Result<Imported, MemoryError> {
        let mut transaction = self.begin().await?;
        let imported = import::import(&mut Conn::from(&mut transaction), records).await?;
        transaction.commit().await.map_err(failed_to("commit an import"))?;
        Ok(imported)
    }

    async fn forget(&self, what: &Forget, dry: bool) -> Result<Forgotten, MemoryError> {
        let mut transaction = self.begin().await?;
        let forgotten = forget::forget(&mut Conn::from(&mut transaction), what).await?;
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
        let failed = failed_to("vacuum the memory");
        let mut conn = self.writers.acquire().await.map_err(&failed)?;
        for statement in D::VACUUM {
            sql(*statement).execute(&mut Conn::from(&mut conn)).await.map_err(&failed)?;
        }
        Ok(())
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writers.close().await;
    }
}
