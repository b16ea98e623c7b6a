//! Who carries out a run: owners, epochs, and the processes of attempts.

use jiff::Timestamp;
use orch_core::journal::{AcquireError, AttemptProcess, JournalError, Owner};
use orch_core::{Epoch, OwnerId, RunId};
use sqlx::postgres::{PgConnection, PgPool};

use crate::error::failed_to;
use crate::stored::{StoredOwnership, StoredProcess};

/// Registers `owner`, or replaces what is known of it.
pub(super) async fn register(pool: &PgPool, owner: &Owner) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO orch_owners (id, name, pid, start, boot, until) \
         VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, pid = excluded.pid, \
         start = excluded.start, boot = excluded.boot, until = excluded.until",
    )
    .bind(owner.id.as_str())
    .bind(&owner.name)
    .bind(i64::from(owner.process.pid))
    .bind(owner.process.start.cast_signed())
    .bind(&owner.process.boot)
    .bind(owner.until.as_microsecond())
    .execute(pool)
    .await?;
    Ok(())
}

/// Makes `owner` the owner of `run`, if it may be.
pub(super) async fn acquire(
    pool: &PgPool,
    run: RunId,
    owner: &OwnerId,
    now: Timestamp,
    dead: Option<Epoch>,
) -> sqlx::Result<Result<Epoch, AcquireError>> {
    let mut transaction = pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    // Locked by a statement of its own: the next one then sees an owner that has come, and registered, while this one waited.
    sqlx::query("SELECT 1 FROM orch_runs WHERE run = $1 FOR UPDATE")
        .bind(run.to_string())
        .execute(&mut *transaction)
        .await?;
    let registered: Option<i32> = sqlx::query_scalar("SELECT 1 FROM orch_owners WHERE id = $1")
        .bind(owner.as_str())
        .fetch_optional(&mut *transaction)
        .await?;
    if registered.is_none() {
        return Ok(Err(AcquireError::Unregistered(owner.clone())));
    }
    // An owner without a row in `orch_owners` cannot be shown to live, so it does not count.
    let epoch: Option<i64> = sqlx::query_scalar(
        "UPDATE orch_runs SET owner = $2, epoch = epoch + 1 WHERE run = $1 AND (epoch = $4 OR \
         NOT EXISTS (SELECT 1 FROM orch_owners AS o \
                     WHERE o.id = orch_runs.owner AND o.id <> $2 AND o.until > $3)) \
         RETURNING epoch",
    )
    .bind(run.to_string())
    .bind(owner.as_str())
    .bind(now.as_microsecond())
    .bind(dead.map(|epoch| epoch.0.cast_signed()))
    .fetch_optional(&mut *transaction)
    .await?;
    let answer = match epoch {
        Some(epoch) => Ok(Epoch(epoch.cast_unsigned())),
        None => Err(refusal(&mut transaction, run).await?),
    };
    transaction.commit().await?;
    Ok(answer)
}

async fn refusal(conn: &mut PgConnection, run: RunId) -> sqlx::Result<AcquireError> {
    let row: Option<StoredOwnership> = sqlx::query_as(
        "SELECT r.epoch, o.id, o.name, o.pid, o.start, o.boot, o.until \
         FROM orch_runs AS r JOIN orch_owners AS o ON o.id = r.owner WHERE r.run = $1",
    )
    .bind(run.to_string())
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(AcquireError::NotFound(run)) };
    let owner = row.owner.into_owner().map_err(sqlx::Error::Decode)?;
    Ok(AcquireError::Owned { run, owner: Box::new(owner), epoch: Epoch(row.epoch.cast_unsigned()) })
}

/// Ends the ownership with `epoch`.
pub(super) async fn release(pool: &PgPool, run: RunId, epoch: Epoch) -> sqlx::Result<()> {
    sqlx::query("UPDATE orch_runs SET owner = NULL WHERE run = $1 AND epoch = $2")
        .bind(run.to_string())
        .bind(epoch.0.cast_signed())
        .execute(pool)
        .await?;
    Ok(())
}

/// Notes the process of an attempt.
pub(super) async fn note_process(pool: &PgPool, note: &AttemptProcess) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO orch_processes (run, fence, pid, start, boot) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(note.run.to_string())
    .bind(note.fence.0.cast_signed())
    .bind(i64::from(note.process.pid))
    .bind(note.process.start.cast_signed())
    .bind(&note.process.boot)
    .execute(pool)
    .await?;
    Ok(())
}

/// Returns the noted processes of `run`, in the order in which they were noted.
pub(super) async fn processes(
    pool: &PgPool,
    run: RunId,
) -> Result<Vec<AttemptProcess>, JournalError> {
    let rows: Vec<StoredProcess> = sqlx::query_as(
        "SELECT fence, pid, start, boot FROM orch_processes WHERE run = $1 ORDER BY rowid",
    )
    .bind(run.to_string())
    .fetch_all(pool)
    .await
    .map_err(|source| failed_to(format!("read the processes of run {run}"), source))?;
    rows.into_iter().map(|row| row.into_process(run)).collect()
}
