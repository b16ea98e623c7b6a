//! Reading what policies may see.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use orch_core::learned::{PastRun, TaskStats, WorkerStats, WorkerSummary};
use orch_core::{ProjectId, RunId, Seq, WorkerName};

use super::{past, rows, rulings, stats};
use crate::MemoryError;
use crate::learned::{Cell, Known, Match, Scope};
use crate::memory_error::failed_to;
use crate::sql::{Conn, Dialect, sql};

/// Returns how far each of `runs` was folded.
pub(super) async fn watermarks<D: Dialect>(
    conn: &mut Conn<'_, D>,
    runs: &[RunId],
) -> Result<HashMap<RunId, Seq>, MemoryError> {
    if runs.is_empty() {
        return Ok(HashMap::new());
    }
    let mut query = sql("SELECT run, seq FROM orch_folded WHERE run IN ");
    query.push_list(runs.iter().map(RunId::to_string));
    let failed = failed_to("read how far runs were learned from");
    let rows: Vec<(String, i64)> = query.fetch_all(conn).await.map_err(failed)?;
    rows.into_iter().map(|(run, seq)| Ok((past::run_id(&run)?, Seq(seq.cast_unsigned())))).collect()
}

/// Returns what is known of a project, within the read transaction of the caller.
pub(super) async fn known<D: Dialect>(
    conn: &mut Conn<'_, D>,
    project: &ProjectId,
    task_type: Option<&str>,
) -> Result<Known, MemoryError> {
    let workers = summaries(conn, project).await?;
    let tasks = match task_type {
        Some(task_type) => {
            let stats = stats::task(conn, project, task_type).await?;
            BTreeMap::from([(task_type.to_owned(), stats)])
        }
        None => tasks(conn, project).await?,
    };
    Ok(Known { workers, tasks, rulings: rulings::read(conn, project).await? })
}

/// Reads the summaries of all workers, those of a type in one row: a row for each would cost ten times as much.
async fn summaries<D: Dialect>(
    conn: &mut Conn<'_, D>,
    project: &ProjectId,
) -> Result<BTreeMap<Arc<str>, BTreeMap<WorkerName, WorkerSummary>>, MemoryError> {
    let rows: Vec<(String, String)> = sql(D::SUMMARIES)
        .bind(project.as_str())
        .fetch_all(conn)
        .await
        .map_err(failed_to("read what is known of workers"))?;
    rows.into_iter().map(rows::summaries).collect()
}

/// Returns the sums of all workers of a project.
pub(super) async fn workers<D: Dialect>(
    conn: &mut Conn<'_, D>,
    project: &ProjectId,
) -> Result<Vec<(Cell, WorkerStats)>, MemoryError> {
    let rows: Vec<(String, String, String)> =
        sql("SELECT task_type, worker, stats FROM orch_worker_stats WHERE project = $1 \
         ORDER BY task_type, worker")
        .bind(project.as_str())
        .fetch_all(conn)
        .await
        .map_err(failed_to("read what is known of workers"))?;
    rows.into_iter()
        .map(|(task_type, worker, stats)| {
            let what = || format!("what is known of worker `{worker}` at `{task_type}`");
            let stats = rows::decode(&stats, what)?;
            Ok((Cell { task_type, worker: worker.into() }, stats))
        })
        .collect()
}

async fn tasks<D: Dialect>(
    conn: &mut Conn<'_, D>,
    project: &ProjectId,
) -> Result<BTreeMap<String, TaskStats>, MemoryError> {
    let rows: Vec<(String, String)> =
        sql("SELECT task_type, stats FROM orch_task_stats WHERE project = $1")
            .bind(project.as_str())
            .fetch_all(conn)
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
pub(super) async fn counts<D: Dialect>(
    conn: &mut Conn<'_, D>,
    project: &ProjectId,
) -> Result<(u64, u64), MemoryError> {
    let counts: Option<(i64, i64)> = sql(
        "SELECT (SELECT count(*) FROM orch_past WHERE project = $1), (SELECT count(*) FROM orch_folded)",
    )
    .bind(project.as_str())
    .fetch_optional(conn)
    .await
    .map_err(failed_to("count what the memory has"))?;
    let (examples, runs) = counts.unwrap_or_default();
    Ok((examples.cast_unsigned(), runs.cast_unsigned()))
}

/// Returns the texts of a scope.
pub(super) async fn texts<D: Dialect>(
    conn: &mut Conn<'_, D>,
    scope: &Scope<'_>,
) -> Result<Vec<Match>, MemoryError> {
    let rows: Vec<(String, String, String, i64, i64)> =
        sql("SELECT run, step, text, ended_at, success FROM orch_past \
         WHERE project = $1 AND agent = $2 AND task_type = $3")
        .bind(scope.project.as_str())
        .bind(scope.agent_name())
        .bind(scope.task_type)
        .fetch_all(conn)
        .await
        .map_err(failed_to("search the memory"))?;
    let matches = rows.into_iter().map(|(run, step, text, ended_at, success)| {
        let ended_at = past::ended_at(&run, ended_at)?;
        Ok(Match { run: past::run_id(&run)?, step, text, ended_at, success: success != 0 })
    });
    matches.collect()
}

/// Returns past runs.
pub(super) async fn past_runs<D: Dialect>(
    conn: &mut Conn<'_, D>,
    runs: &[RunId],
) -> Result<Vec<PastRun>, MemoryError> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = sql("SELECT run, body FROM orch_past WHERE step = '' AND run IN ");
    query.push_list(runs.iter().map(RunId::to_string));
    let rows: Vec<(String, String)> =
        query.fetch_all(conn).await.map_err(failed_to("read past runs"))?;
    rows.iter()
        .map(|(run, body)| rows::decode(body, || format!("the outcome of run {run}")))
        .collect()
}

/// How many runs are offered when the beginning of an id fits several.
const OFFERED: i64 = 20;

/// Returns the runs whose ids begin with `prefix`, each with its text, as far as that is kept.
pub(super) async fn runs<D: Dialect>(
    conn: &mut Conn<'_, D>,
    project: &ProjectId,
    prefix: &str,
) -> Result<Vec<(RunId, String)>, MemoryError> {
    let rows: Vec<(String, String)> = sql(
        // No id has a character after `~`.
        "SELECT run, max(CASE WHEN step = '' THEN text ELSE '' END) FROM orch_past \
         WHERE run >= $1 AND run < $2 AND project = $3 GROUP BY run ORDER BY run LIMIT $4",
    )
    .bind(prefix)
    .bind(format!("{prefix}~"))
    .bind(project.as_str())
    .bind(OFFERED)
    .fetch_all(conn)
    .await
    .map_err(failed_to("look for past runs"))?;
    rows.into_iter().map(|(run, text)| Ok((past::run_id(&run)?, text))).collect()
}
