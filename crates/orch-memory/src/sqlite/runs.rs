//! Reading the rows of runs.

use orch_core::journal::{JournalError, RunFilter, RunRow};
use orch_core::{ProjectId, RequestKey, RunId, Seq};
use sqlx::sqlite::SqliteExecutor;
use sqlx::{QueryBuilder, Sqlite, SqlitePool};

use crate::error::failed_to;
use crate::listing::listing;
use crate::stored::{StoredRun, in_order};

/// Returns the row of `run`.
pub(super) async fn row(pool: &SqlitePool, run: RunId) -> Result<Option<RunRow>, JournalError> {
    let mut query = QueryBuilder::new(StoredRun::SELECT);
    query.push("r.run = ").push_bind(run.to_string());
    Ok(fetch(pool, query, format!("read run {run}")).await?.pop())
}

/// Lists runs, newest first.
pub(super) async fn rows(
    source: impl SqliteExecutor<'_>,
    filter: &RunFilter,
) -> Result<Vec<RunRow>, JournalError> {
    fetch(source, listing(filter), "list runs".to_owned()).await
}

async fn fetch(
    source: impl SqliteExecutor<'_>,
    mut query: QueryBuilder<Sqlite>,
    doing: String,
) -> Result<Vec<RunRow>, JournalError> {
    let stored: Vec<StoredRun> = query
        .build_query_as()
        .fetch_all(source)
        .await
        .map_err(|source| failed_to(doing, source))?;
    stored.into_iter().map(StoredRun::into_row).collect()
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
    Ok(in_order(runs, found))
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
