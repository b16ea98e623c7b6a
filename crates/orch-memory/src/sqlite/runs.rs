//! Reading the rows of runs.

use std::collections::HashMap;

use jiff::Timestamp;
use orch_core::journal::{JournalError, RunFilter, RunHead, RunRow, RunSummary};
use orch_core::{BoxError, ComplexTask, Epoch, ProjectId, RequestKey, RunId, Seq};
use sqlx::{QueryBuilder, Sqlite, SqlitePool};

use super::error::failed_to;
use super::owners::OwnerRow;

const SELECT: &str = "SELECT r.run, r.project, r.task_id, r.task_type, r.description, \
     r.request_key, r.phase, r.end_status, r.counts, r.seq, r.epoch, r.created_at, r.updated_at, \
     o.id, o.name, o.pid, o.start, o.boot, o.until \
     FROM orch_runs AS r LEFT JOIN orch_owners AS o ON o.id = r.owner WHERE true";

/// How many runs are listed when the filter does not say.
const LISTED: u32 = 100;

#[derive(sqlx::FromRow)]
struct StoredRun {
    run: String,
    project: String,
    task_id: String,
    task_type: String,
    description: String,
    request_key: Option<String>,
    phase: String,
    end_status: Option<String>,
    counts: String,
    seq: i64,
    epoch: i64,
    created_at: i64,
    updated_at: i64,
    id: Option<String>,
    name: Option<String>,
    pid: Option<u32>,
    start: Option<i64>,
    boot: Option<String>,
    until: Option<i64>,
}

/// Returns the row of `run`.
pub(super) async fn row(pool: &SqlitePool, run: RunId) -> Result<Option<RunRow>, JournalError> {
    let mut query = QueryBuilder::new(SELECT);
    query.push(" AND r.run = ").push_bind(run.to_string());
    Ok(fetch(pool, query, format!("read run {run}")).await?.pop())
}

/// Lists runs, newest first.
pub(super) async fn rows(
    pool: &SqlitePool,
    filter: &RunFilter,
) -> Result<Vec<RunRow>, JournalError> {
    let mut query = QueryBuilder::new(SELECT);
    if let Some(project) = &filter.project {
        query.push(" AND r.project = ").push_bind(project.as_str().to_owned());
    }
    if filter.open {
        query.push(" AND r.phase <> 'ended'");
    }
    if let Some(prefix) = &filter.prefix {
        // All texts that begin so, as a range of the index: ids are ASCII, so nothing sorts above the greatest character.
        query.push(" AND r.run >= ").push_bind(prefix.clone());
        query.push(" AND r.run < ").push_bind(format!("{prefix}{}", char::MAX));
    }
    if let Some(before) = filter.before {
        // Ids sort by time.
        query.push(" AND r.run < ").push_bind(before.to_string());
    }
    let limit = if filter.limit == 0 { LISTED } else { filter.limit };
    query.push(" ORDER BY r.run DESC LIMIT ").push_bind(i64::from(limit));
    fetch(pool, query, "list runs".to_owned()).await
}

async fn fetch(
    pool: &SqlitePool,
    mut query: QueryBuilder<Sqlite>,
    doing: String,
) -> Result<Vec<RunRow>, JournalError> {
    let stored: Vec<StoredRun> =
        query.build_query_as().fetch_all(pool).await.map_err(|source| failed_to(doing, source))?;
    stored.into_iter().map(StoredRun::into_row).collect()
}

impl StoredRun {
    fn into_row(self) -> Result<RunRow, JournalError> {
        let what = format!("run {}", self.run);
        self.try_into_row()
            .map_err(|error| JournalError::Corrupt { what, reason: error.to_string() })
    }

    fn try_into_row(self) -> Result<RunRow, BoxError> {
        let task = ComplexTask::new(self.task_id, self.description, self.task_type);
        let created_at = Timestamp::from_microsecond(self.created_at)?;
        let head = RunHead::new(self.run.parse()?, self.project.into(), &task, created_at)
            .with_request_key(self.request_key.map(RequestKey::from));
        let end = self.end_status.map(|word| word.parse()).transpose()?;
        let summary =
            RunSummary::new(self.phase.parse()?, end, serde_json::from_str(&self.counts)?);
        let owner = match (self.id, self.name, self.pid, self.start, self.boot, self.until) {
            (Some(id), Some(name), Some(pid), Some(start), Some(boot), Some(until)) => {
                Some(OwnerRow { id, name, pid, start, boot, until }.into_owner()?)
            }
            _ => None,
        };
        let updated_at = Timestamp::from_microsecond(self.updated_at)?;
        Ok(RunRow::new(head, summary, Seq(self.seq.cast_unsigned()), updated_at)
            .with_epoch(Epoch(self.epoch.cast_unsigned()))
            .with_owner(owner))
    }
}

/// Returns the last event of each of `runs` that exists, in their order.
pub(super) async fn heads(
    pool: &SqlitePool,
    runs: &[RunId],
) -> Result<Vec<(RunId, Seq)>, JournalError> {
    let names = serde_json::to_string(runs).expect("ids have a JSON form");
    let found: Vec<(String, i64)> = sqlx::query_as(
        "SELECT run, seq FROM orch_runs WHERE run IN (SELECT value FROM json_each(?))",
    )
    .bind(names)
    .fetch_all(pool)
    .await
    .map_err(|source| failed_to("read where runs stand".to_owned(), source))?;
    let found: HashMap<String, i64> = found.into_iter().collect();
    Ok(runs
        .iter()
        .filter_map(|run| found.get(&run.to_string()).map(|seq| (*run, Seq(seq.cast_unsigned()))))
        .collect())
}

/// Returns the run that was submitted under `key`.
pub(super) async fn run_of_request(
    pool: &SqlitePool,
    project: &ProjectId,
    key: &RequestKey,
) -> Result<Option<RunId>, JournalError> {
    let run: Option<String> =
        sqlx::query_scalar("SELECT run FROM orch_runs WHERE project = ? AND request_key = ?")
            .bind(project.as_str())
            .bind(key.as_str())
            .fetch_optional(pool)
            .await
            .map_err(|source| failed_to(format!("look up request `{key}`"), source))?;
    run.map(|run| {
        run.parse().map_err(|_| JournalError::Corrupt {
            what: format!("the run of request `{key}`"),
            reason: format!("`{run}` is no id of a run"),
        })
    })
    .transpose()
}
