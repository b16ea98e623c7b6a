//! Reading what policies may see.

use std::collections::HashMap;

use jiff::Timestamp;
use orch_core::learned::{History, PastRun, TaskStats, WorkerStats};
use orch_core::{ProjectId, RunId, Seq};
use sqlx::{QueryBuilder, Sqlite, SqlitePool};

use super::{failed_to, past, rows};
use crate::MemoryError;
use crate::learned::{Cell, Match, Scope};

/// Returns how far each of `runs` was folded.
pub(super) async fn watermarks(
    pool: &SqlitePool,
    runs: &[RunId],
) -> Result<HashMap<RunId, Seq>, MemoryError> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT run, seq FROM orch_folded WHERE run IN (");
    let mut ids = query.separated(", ");
    for run in runs {
        ids.push_bind(run.to_string());
    }
    query.push(")");
    let failed = failed_to("read how far runs were learned from");
    let rows: Vec<(String, i64)> = query.build_query_as().fetch_all(pool).await.map_err(failed)?;
    rows.into_iter().map(|(run, seq)| Ok((past::run_id(&run)?, Seq(seq.cast_unsigned())))).collect()
}

/// Returns the histories of all workers of a project.
pub(super) async fn histories(
    pool: &SqlitePool,
    project: &ProjectId,
) -> Result<Vec<(Cell, History)>, MemoryError> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT task_type, worker, history FROM orch_worker_stats WHERE project = ?",
    )
    .bind(project.as_str())
    .fetch_all(pool)
    .await
    .map_err(failed_to("read the histories of workers"))?;
    rows.into_iter()
        .map(|(task_type, worker, history)| {
            let what = || format!("the history of worker `{worker}` at `{task_type}`");
            let history = rows::decode(&history, what)?;
            Ok((Cell { task_type, worker: worker.into() }, history))
        })
        .collect()
}

/// Returns all that is known of workers at some types.
pub(super) async fn workers(
    pool: &SqlitePool,
    project: &ProjectId,
    task_types: Option<&[String]>,
) -> Result<Vec<(Cell, WorkerStats)>, MemoryError> {
    let mut query = QueryBuilder::<Sqlite>::new(
        "SELECT task_type, worker, history, details FROM orch_worker_stats WHERE project = ",
    );
    query.push_bind(project.as_str());
    if let Some(task_types) = task_types {
        query.push(" AND task_type IN (");
        let mut types = query.separated(", ");
        for task_type in task_types {
            types.push_bind(task_type);
        }
        query.push(")");
    }
    let rows: Vec<(String, String, String, String)> = query
        .build_query_as()
        .fetch_all(pool)
        .await
        .map_err(failed_to("read what is known of workers"))?;
    rows.into_iter()
        .map(|(task_type, worker, history, details)| {
            let what = || format!("what is known of worker `{worker}` at `{task_type}`");
            let stats = rows::worker(&history, &details, what)?;
            Ok((Cell { task_type, worker: worker.into() }, stats))
        })
        .collect()
}

/// Returns what is known of all types of tasks.
pub(super) async fn tasks(
    pool: &SqlitePool,
    project: &ProjectId,
) -> Result<Vec<(String, TaskStats)>, MemoryError> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT task_type, stats FROM orch_task_stats WHERE project = ? ORDER BY task_type",
    )
    .bind(project.as_str())
    .fetch_all(pool)
    .await
    .map_err(failed_to("read what is known of types of tasks"))?;
    rows.into_iter()
        .map(|(task_type, stats)| {
            let what = || format!("what is known of tasks of type `{task_type}`");
            let stats = rows::decode(&stats, what)?;
            Ok((task_type, stats))
        })
        .collect()
}

/// Returns how many examples a project has, and how many runs were folded.
pub(super) async fn counts(
    pool: &SqlitePool,
    project: &ProjectId,
) -> Result<(u64, u64), MemoryError> {
    let counts: (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM orch_past WHERE project = ?), (SELECT count(*) FROM orch_folded)",
    )
    .bind(project.as_str())
    .fetch_one(pool)
    .await
    .map_err(failed_to("count what the memory has"))?;
    Ok((counts.0.cast_unsigned(), counts.1.cast_unsigned()))
}

/// Returns the newest texts of a scope that have one of `words`, and how many texts the scope has.
pub(super) async fn matching(
    pool: &SqlitePool,
    scope: &Scope<'_>,
    words: &[String],
    limit: u32,
) -> Result<(Vec<Match>, usize), MemoryError> {
    let failed = failed_to("search the memory");
    let total: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM orch_past WHERE project = ? AND agent = ? AND task_type = ?",
    )
    .bind(scope.project.as_str())
    .bind(scope.agent_name())
    .bind(scope.task_type)
    .fetch_one(pool)
    .await
    .map_err(&failed)?;
    let total = usize::try_from(total).unwrap_or(0);
    if words.is_empty() || total == 0 {
        return Ok((Vec::new(), total));
    }
    // Words have letters and digits only; in quotes they are no operators either.
    let any = words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" OR ");
    let found: Vec<(String, String, String, i64, bool)> = sqlx::query_as(
        "SELECT p.run, p.step, p.text, p.ended_at, p.success \
         FROM orch_past_words AS w JOIN orch_past AS p ON p.id = w.rowid \
         WHERE orch_past_words MATCH ? ORDER BY p.ended_at DESC, p.run DESC, p.step DESC LIMIT ?",
    )
    .bind(format!("scope : {} AND words : ({any})", past::scope_word(scope)))
    .bind(limit)
    .fetch_all(pool)
    .await
    .map_err(failed)?;
    let matches = found.into_iter().map(|(run, step, text, ended_at, success)| {
        let ended_at = Timestamp::from_microsecond(ended_at).map_err(|error| {
            MemoryError::Corrupt { what: format!("the end of run {run}"), source: error.into() }
        })?;
        Ok(Match { run: past::run_id(&run)?, step, text, ended_at, success })
    });
    Ok((matches.collect::<Result<_, MemoryError>>()?, total))
}

/// Returns past runs.
pub(super) async fn past_runs(
    pool: &SqlitePool,
    runs: &[RunId],
) -> Result<Vec<PastRun>, MemoryError> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let mut query =
        QueryBuilder::<Sqlite>::new("SELECT run, body FROM orch_past WHERE step = '' AND run IN (");
    let mut ids = query.separated(", ");
    for run in runs {
        ids.push_bind(run.to_string());
    }
    query.push(")");
    let rows: Vec<(String, String)> =
        query.build_query_as().fetch_all(pool).await.map_err(failed_to("read past runs"))?;
    rows.iter()
        .map(|(run, body)| rows::decode(body, || format!("the outcome of run {run}")))
        .collect()
}
