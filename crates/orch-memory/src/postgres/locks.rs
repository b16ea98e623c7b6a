//! Locks: rows with a unique key.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::journal::JournalError;
use orch_core::{LockName, ProjectId, RunId};
use sqlx::postgres::{PgConnection, PgPool};

use super::append::run_id;
use crate::admission::LockKey;
use crate::error::failed_to;

/// Returns those of `locks` that are held, with their holders.
pub(super) async fn holders(
    conn: &mut PgConnection,
    locks: &BTreeSet<LockKey>,
) -> sqlx::Result<BTreeMap<LockKey, RunId>> {
    if locks.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (projects, names) = columns(locks);
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT project, name, run FROM orch_locks \
         WHERE (project, name) IN (SELECT * FROM unnest($1::text[], $2::text[]))",
    )
    .bind(projects)
    .bind(names)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(project, name, run)| Ok(((project.into(), name.into()), run_id(&run)?)))
        .collect()
}

/// Returns the run that holds a lock, for whoever only wants to know.
pub(super) async fn lock_holder(
    pool: &PgPool,
    project: &ProjectId,
    lock: &LockName,
) -> Result<Option<RunId>, JournalError> {
    let failed = |source| failed_to(format!("look up lock `{lock}`"), source);
    let mut conn = pool.acquire().await.map_err(failed)?;
    let wanted = BTreeSet::from([(project.clone(), lock.clone())]);
    let found = holders(&mut conn, &wanted).await.map_err(failed)?;
    Ok(found.into_values().next())
}

/// Frees locks, whoever holds them.
pub(super) async fn free(conn: &mut PgConnection, locks: Vec<LockKey>) -> sqlx::Result<()> {
    if locks.is_empty() {
        return Ok(());
    }
    let (projects, names) = columns(&locks);
    sqlx::query(
        "DELETE FROM orch_locks \
         WHERE (project, name) IN (SELECT * FROM unnest($1::text[], $2::text[]))",
    )
    .bind(projects)
    .bind(names)
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes locks, which are known to be free.
pub(super) async fn take(
    conn: &mut PgConnection,
    locks: Vec<(LockKey, RunId)>,
) -> sqlx::Result<()> {
    if locks.is_empty() {
        return Ok(());
    }
    let (projects, names) = columns(locks.iter().map(|(lock, _)| lock));
    sqlx::query(
        "INSERT INTO orch_locks (project, name, run) \
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[])",
    )
    .bind(projects)
    .bind(names)
    .bind(locks.iter().map(|(_, run)| run.to_string()).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

fn columns<'a>(locks: impl IntoIterator<Item = &'a LockKey>) -> (Vec<&'a str>, Vec<&'a str>) {
    locks.into_iter().map(|(project, lock)| (project.as_str(), lock.as_str())).unzip()
}
