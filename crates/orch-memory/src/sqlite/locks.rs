//! Locks: rows with a unique key.

use orch_core::journal::JournalError;
use orch_core::{LockName, ProjectId, RunId};
use sqlx::{SqliteConnection, SqlitePool};

use crate::admission::LockKey;
use crate::error::failed_to;

/// Returns the run that holds a lock.
pub(super) async fn holder(
    conn: &mut SqliteConnection,
    (project, lock): &LockKey,
) -> sqlx::Result<Option<RunId>> {
    let holder: Option<String> =
        sqlx::query_scalar("SELECT run FROM orch_locks WHERE project = ? AND name = ?")
            .bind(project.as_str())
            .bind(lock.as_str())
            .fetch_optional(conn)
            .await?;
    holder.map(|run| run.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))).transpose()
}

/// Returns the run that holds a lock, for whoever only wants to know.
pub(super) async fn lock_holder(
    pool: &SqlitePool,
    project: &ProjectId,
    lock: &LockName,
) -> Result<Option<RunId>, JournalError> {
    let failed = |source| failed_to(format!("look up lock `{lock}`"), source);
    let mut conn = pool.acquire().await.map_err(failed)?;
    holder(&mut conn, &(project.clone(), lock.clone())).await.map_err(failed)
}

/// Frees locks, whoever holds them.
pub(super) async fn free(conn: &mut SqliteConnection, locks: &[LockKey]) -> sqlx::Result<()> {
    for (project, lock) in locks {
        sqlx::query("DELETE FROM orch_locks WHERE project = ? AND name = ?")
            .bind(project.as_str())
            .bind(lock.as_str())
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// Takes locks, which are known to be free.
pub(super) async fn take(
    conn: &mut SqliteConnection,
    locks: &[(LockKey, RunId)],
) -> sqlx::Result<()> {
    for ((project, lock), run) in locks {
        sqlx::query("INSERT INTO orch_locks (project, name, run) VALUES (?, ?, ?)")
            .bind(project.as_str())
            .bind(lock.as_str())
            .bind(run.to_string())
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}
