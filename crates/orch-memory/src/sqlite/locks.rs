//! Locks: rows with a unique key.

use orch_core::RunId;
use sqlx::SqliteConnection;

use crate::admission::LockKey;

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
