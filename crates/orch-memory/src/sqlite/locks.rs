//! Locks: rows with a unique key, taken all or none.

use orch_core::{LockName, ProjectId, RunId};
use sqlx::SqliteConnection;

/// Returns the first lock of `take` that `run` cannot have, with its holder: one that is held and not freed by `run` itself,
/// or one that is named twice, which `run` would then hold already.
pub(super) async fn held(
    conn: &mut SqliteConnection,
    run: RunId,
    project: &ProjectId,
    take: &[LockName],
    free: &[LockName],
) -> sqlx::Result<Option<(LockName, RunId)>> {
    for (place, lock) in take.iter().enumerate() {
        let holder = holder(conn, project, lock).await?;
        let kept = holder.filter(|holder| *holder != run || !free.contains(lock));
        let twice = take[..place].contains(lock).then_some(run);
        if let Some(holder) = kept.or(twice) {
            return Ok(Some((lock.clone(), holder)));
        }
    }
    Ok(None)
}

async fn holder(
    conn: &mut SqliteConnection,
    project: &ProjectId,
    lock: &LockName,
) -> sqlx::Result<Option<RunId>> {
    let holder: Option<String> =
        sqlx::query_scalar("SELECT run FROM orch_locks WHERE project = ? AND name = ?")
            .bind(project.as_str())
            .bind(lock.as_str())
            .fetch_optional(conn)
            .await?;
    holder.map(|run| run.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))).transpose()
}

/// Frees those of `locks` that `run` holds.
pub(super) async fn free(
    conn: &mut SqliteConnection,
    run: &str,
    project: &ProjectId,
    locks: &[LockName],
) -> sqlx::Result<()> {
    for lock in locks {
        sqlx::query("DELETE FROM orch_locks WHERE project = ? AND name = ? AND run = ?")
            .bind(project.as_str())
            .bind(lock.as_str())
            .bind(run)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// Takes `locks`, which are known to be free.
pub(super) async fn take(
    conn: &mut SqliteConnection,
    run: &str,
    project: &ProjectId,
    locks: &[LockName],
) -> sqlx::Result<()> {
    for lock in locks {
        sqlx::query("INSERT INTO orch_locks (project, name, run) VALUES (?, ?, ?)")
            .bind(project.as_str())
            .bind(lock.as_str())
            .bind(run)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}
