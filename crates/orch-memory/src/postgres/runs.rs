//! The rows of runs.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::journal::{JournalError, RunFilter, RunRow};
use orch_core::{ProjectId, RequestKey, RunId, Seq};
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{Postgres, QueryBuilder};

use super::append::run_id;
use crate::admission::{Request, RunInsert, RunUpdate};
use crate::error::failed_to;
use crate::listing::listing;
use crate::stored::{StoredRun, in_order};

/// Returns the runs that were submitted under `requests`.
pub(super) async fn answers(
    conn: &mut PgConnection,
    requests: &BTreeSet<Request>,
) -> sqlx::Result<BTreeMap<Request, RunId>> {
    if requests.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (projects, keys): (Vec<&str>, Vec<&str>) =
        requests.iter().map(|(project, key)| (project.as_str(), key.as_str())).unzip();
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT project, request_key, run FROM orch_runs WHERE request_key IS NOT NULL AND \
         (project, request_key) IN (SELECT * FROM unnest($1::text[], $2::text[]))",
    )
    .bind(projects)
    .bind(keys)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(project, key, run)| Ok(((project.into(), key.into()), run_id(&run)?)))
        .collect()
}

/// Inserts a new run.
pub(super) async fn insert(conn: &mut PgConnection, insert: RunInsert) -> sqlx::Result<()> {
    let RunInsert { head, owner: (owner, epoch), update } = insert;
    sqlx::query(
        "INSERT INTO orch_runs (run, project, task_id, task_type, description, request_key, \
         phase, end_status, counts, seq, created_at, updated_at, owner, epoch) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(&*update.name)
    .bind(head.project.as_str())
    .bind(head.task_id.as_str())
    .bind(&head.task_type)
    .bind(&head.description)
    .bind(head.request_key.as_ref().map(|key| key.as_str()))
    .bind(update.summary.phase.as_str())
    .bind(update.summary.end.map(|end| end.as_str()))
    .bind(update.counts)
    .bind(update.seq.0.cast_signed())
    .bind(head.created_at.as_microsecond())
    .bind(update.updated_at)
    .bind(owner.as_ref().map(|owner| owner.as_str()))
    .bind(epoch.0.cast_signed())
    .execute(conn)
    .await?;
    Ok(())
}

/// Brings the rows of runs up to date.
pub(super) async fn update(conn: &mut PgConnection, updates: Vec<RunUpdate>) -> sqlx::Result<()> {
    if updates.is_empty() {
        return Ok(());
    }
    let of = |value: fn(&RunUpdate) -> Option<&str>| {
        updates.iter().map(value).collect::<Vec<Option<&str>>>()
    };
    sqlx::query(
        "UPDATE orch_runs SET phase = u.phase, end_status = u.end_status, counts = u.counts, \
         seq = u.seq, updated_at = u.updated_at FROM unnest($1::text[], $2::text[], $3::text[], \
         $4::text[], $5::bigint[], $6::bigint[]) \
         AS u (run, phase, end_status, counts, seq, updated_at) WHERE orch_runs.run = u.run",
    )
    .bind(of(|update| Some(&update.name)))
    .bind(of(|update| Some(update.summary.phase.as_str())))
    .bind(of(|update| update.summary.end.map(|end| end.as_str())))
    .bind(of(|update| Some(&update.counts)))
    .bind(updates.iter().map(|update| update.seq.0.cast_signed()).collect::<Vec<_>>())
    .bind(updates.iter().map(|update| update.updated_at).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// Ended runs own nothing and nobody owns them.
pub(super) async fn clear_ended(conn: &mut PgConnection, runs: Vec<String>) -> sqlx::Result<()> {
    for statement in [
        "UPDATE orch_runs SET owner = NULL WHERE run = ANY($1)",
        "DELETE FROM orch_locks WHERE run = ANY($1)",
        "DELETE FROM orch_processes WHERE run = ANY($1)",
    ] {
        sqlx::query(statement).bind(&runs).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Returns the row of `run`.
pub(super) async fn row(pool: &PgPool, run: RunId) -> Result<Option<RunRow>, JournalError> {
    let mut query = QueryBuilder::new(StoredRun::SELECT);
    query.push("r.run = ").push_bind(run.to_string());
    Ok(fetch(pool, query, format!("read run {run}")).await?.pop())
}

/// Lists runs, newest first.
pub(super) async fn rows(pool: &PgPool, filter: &RunFilter) -> Result<Vec<RunRow>, JournalError> {
    fetch(pool, listing(filter), "list runs".to_owned()).await
}

async fn fetch(
    pool: &PgPool,
    mut query: QueryBuilder<Postgres>,
    doing: String,
) -> Result<Vec<RunRow>, JournalError> {
    let stored: Vec<StoredRun> =
        query.build_query_as().fetch_all(pool).await.map_err(|source| failed_to(doing, source))?;
    stored.into_iter().map(StoredRun::into_row).collect()
}

/// Returns the last event of each of `runs` that exists, in their order.
pub(super) async fn heads(
    pool: &PgPool,
    runs: &[RunId],
) -> Result<Vec<(RunId, Seq)>, JournalError> {
    let found: Vec<(String, i64)> =
        sqlx::query_as("SELECT run, seq FROM orch_runs WHERE run = ANY($1)")
            .bind(runs.iter().map(RunId::to_string).collect::<Vec<_>>())
            .fetch_all(pool)
            .await
            .map_err(|source| failed_to("read where runs stand".to_owned(), source))?;
    Ok(in_order(runs, found))
}

/// Returns the run that was submitted under `key`.
pub(super) async fn run_of_request(
    pool: &PgPool,
    project: &ProjectId,
    key: &RequestKey,
) -> Result<Option<RunId>, JournalError> {
    let run: Option<String> =
        sqlx::query_scalar("SELECT run FROM orch_runs WHERE project = $1 AND request_key = $2")
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
