//! The sums: added to in place, with the watermark that says how far a run is in them.

use std::collections::BTreeMap;

use orch_core::learned::{TaskStats, WorkerStats};
use orch_core::{ProjectId, RunId, Seq};

use super::{past, rows, untold};
use crate::MemoryError;
use crate::learned::{Cell, Evidence};
use crate::memory_error::failed_to;
use crate::sql::{Conn, Dialect, sql};

/// Returns the last event of `run` that was folded.
async fn watermark<D: Dialect>(conn: &mut Conn<'_, D>, run: RunId) -> Result<Seq, MemoryError> {
    let seq: Option<i64> = sql("SELECT seq FROM orch_folded WHERE run = $1")
        .bind(run.to_string())
        .fetch_optional(conn)
        .await
        .map_err(failed_to("read how far a run was learned from"))?;
    Ok(Seq(seq.unwrap_or(0).cast_unsigned()))
}

/// Adds evidence within the transaction of the caller; see [`Store::add`](crate::learned::Store::add).
pub(super) async fn add<D: Dialect>(
    conn: &mut Conn<'_, D>,
    evidence: Vec<Evidence>,
) -> Result<usize, MemoryError> {
    let mut sums = Sums::default();
    let mut added = 0;
    for evidence in evidence {
        if watermark(conn, evidence.run).await? != evidence.after {
            continue;
        }
        advance(conn, evidence.run, evidence.upto).await?;
        if let Some(ended) = &evidence.ended {
            past::insert(conn, &evidence, ended).await?;
        }
        if evidence.is_to_be_told {
            untold::mark(conn, &evidence.project, evidence.run).await?;
        }
        sums.take(evidence);
        added += 1;
    }
    sums.write(conn).await?;
    Ok(added)
}

/// Notes how far a run was folded.
pub(super) async fn advance<D: Dialect>(
    conn: &mut Conn<'_, D>,
    run: RunId,
    seq: Seq,
) -> Result<(), MemoryError> {
    sql("INSERT INTO orch_folded (run, seq) VALUES ($1, $2) \
         ON CONFLICT (run) DO UPDATE SET seq = excluded.seq")
    .bind(run.to_string())
    .bind(seq.0.cast_signed())
    .execute(conn)
    .await
    .map_err(failed_to("note how far a run was learned from"))?;
    Ok(())
}

/// What is to be added, gathered so that each row is written once.
#[derive(Default)]
pub(super) struct Sums {
    workers: BTreeMap<(ProjectId, Cell), WorkerStats>,
    tasks: BTreeMap<(ProjectId, String), TaskStats>,
}

impl Sums {
    fn take(&mut self, evidence: Evidence) {
        self.gather(evidence.project, evidence.task_type, evidence.workers, evidence.task);
    }

    pub(super) fn gather(
        &mut self,
        project: ProjectId,
        task_type: String,
        workers: BTreeMap<Cell, WorkerStats>,
        task: TaskStats,
    ) {
        for (cell, stats) in workers {
            self.add_worker(project.clone(), cell, &stats);
        }
        if task != TaskStats::default() {
            self.add_task(project, task_type, &task);
        }
    }

    pub(super) fn add_worker(&mut self, project: ProjectId, cell: Cell, stats: &WorkerStats) {
        self.workers.entry((project, cell)).or_default().merge(stats);
    }

    pub(super) fn add_task(&mut self, project: ProjectId, task_type: String, stats: &TaskStats) {
        self.tasks.entry((project, task_type)).or_default().merge(stats);
    }

    pub(super) async fn write<D: Dialect>(self, conn: &mut Conn<'_, D>) -> Result<(), MemoryError> {
        for ((project, cell), delta) in self.workers {
            let mut stats = worker(conn, &project, &cell).await?.unwrap_or_default();
            stats.merge(&delta);
            write_worker(conn, &project, &cell, &stats).await?;
        }
        for ((project, task_type), delta) in self.tasks {
            let mut stats = task(conn, &project, &task_type).await?;
            stats.merge(&delta);
            write_task(conn, &project, &task_type, &stats).await?;
        }
        Ok(())
    }
}

/// Returns the sums of a worker at a type of subtask.
pub(super) async fn worker<D: Dialect>(
    conn: &mut Conn<'_, D>,
    project: &ProjectId,
    cell: &Cell,
) -> Result<Option<WorkerStats>, MemoryError> {
    let stats: Option<String> = sql(
        "SELECT stats FROM orch_worker_stats WHERE project = $1 AND task_type = $2 AND worker = $3",
    )
    .bind(project.as_str())
    .bind(&cell.task_type)
    .bind(cell.worker.as_str())
    .fetch_optional(conn)
    .await
    .map_err(failed_to("read what is known of a worker"))?;
    let what = || format!("what is known of worker `{}` at `{}`", cell.worker, cell.task_type);
    stats.map(|stats| rows::decode(&stats, what)).transpose()
}

async fn write_worker<D: Dialect>(
    conn: &mut Conn<'_, D>,
    project: &ProjectId,
    cell: &Cell,
    stats: &WorkerStats,
) -> Result<(), MemoryError> {
    sql("INSERT INTO orch_worker_stats (project, task_type, worker, summary, stats) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (project, task_type, worker) \
         DO UPDATE SET summary = excluded.summary, stats = excluded.stats")
    .bind(project.as_str())
    .bind(&cell.task_type)
    .bind(cell.worker.as_str())
    .bind(rows::encode(&stats.summary())?)
    .bind(rows::encode(stats)?)
    .execute(conn)
    .await
    .map_err(failed_to("write what is known of a worker"))?;
    Ok(())
}

/// Returns what is known of a type of task.
pub(super) async fn task<D: Dialect>(
    conn: &mut Conn<'_, D>,
    project: &ProjectId,
    task_type: &str,
) -> Result<TaskStats, MemoryError> {
    let stats: Option<String> =
        sql("SELECT stats FROM orch_task_stats WHERE project = $1 AND task_type = $2")
            .bind(project.as_str())
            .bind(task_type)
            .fetch_optional(conn)
            .await
            .map_err(failed_to("read what is known of a type of task"))?;
    let what = || format!("what is known of tasks of type `{task_type}`");
    stats.map_or_else(|| Ok(TaskStats::default()), |stats| rows::decode(&stats, what))
}

async fn write_task<D: Dialect>(
    conn: &mut Conn<'_, D>,
    project: &ProjectId,
    task_type: &str,
    stats: &TaskStats,
) -> Result<(), MemoryError> {
    sql("INSERT INTO orch_task_stats (project, task_type, stats) VALUES ($1, $2, $3) \
         ON CONFLICT (project, task_type) DO UPDATE SET stats = excluded.stats")
    .bind(project.as_str())
    .bind(task_type)
    .bind(rows::encode(stats)?)
    .execute(conn)
    .await
    .map_err(failed_to("write what is known of a type of task"))?;
    Ok(())
}
