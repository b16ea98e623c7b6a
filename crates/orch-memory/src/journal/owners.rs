//! Who carries out a run: owners, epochs, and the processes of attempts.

use jiff::Timestamp;
use orch_core::journal::{AcquireError, AttemptProcess, JournalError, Owner};
use orch_core::{Epoch, OwnerId, RunId};

use super::Reader;
use super::stored::{StoredOwnership, StoredProcess};
use crate::error::failed_to;
use crate::sql::{Conn, Dialect, sql};

/// Who asks for the ownership of what.
pub(crate) struct Acquire {
    pub(crate) run: RunId,
    pub(crate) owner: OwnerId,
    pub(crate) now: Timestamp,
    /// The epoch of an owner that is known to be dead.
    pub(crate) dead: Option<Epoch>,
}

/// Registers `owner`, or replaces what is known of it.
pub(crate) async fn register<D: Dialect>(
    conn: &mut Conn<'_, D>,
    owner: &Owner,
) -> sqlx::Result<()> {
    sql(
        "INSERT INTO orch_owners (id, name, pid, start, boot, until) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, pid = excluded.pid, \
         start = excluded.start, boot = excluded.boot, until = excluded.until",
    )
    .bind(owner.id.as_str())
    .bind(&owner.name)
    .bind(i64::from(owner.process.pid))
    .bind(owner.process.start.cast_signed())
    .bind(&owner.process.boot)
    .bind(owner.until.as_microsecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes the asking process the owner, if it may be.
pub(crate) async fn acquire<D: Dialect>(
    conn: &mut Conn<'_, D>,
    ask: &Acquire,
) -> sqlx::Result<Result<Epoch, AcquireError>> {
    let registered: Option<i64> = sql("SELECT until FROM orch_owners WHERE id = $1")
        .bind(ask.owner.as_str())
        .fetch_optional(conn)
        .await?;
    if registered.is_none() {
        return Ok(Err(AcquireError::Unregistered(ask.owner.clone())));
    }
    // An owner without a row in `orch_owners` cannot be shown to live, so it does not count.
    let epoch: Option<i64> = sql(
        "UPDATE orch_runs SET owner = $2, epoch = epoch + 1, rev = rev + 1 WHERE run = $1 AND (epoch = $4 OR \
         NOT EXISTS (SELECT 1 FROM orch_owners AS o \
                     WHERE o.id = orch_runs.owner AND o.id <> $2 AND o.until > $3)) \
         RETURNING epoch",
    )
    .bind(ask.run.to_string())
    .bind(ask.owner.as_str())
    .bind(ask.now.as_microsecond())
    .bind(ask.dead.map(|epoch| epoch.0.cast_signed()))
    .fetch_optional(conn)
    .await?;
    match epoch {
        Some(epoch) => Ok(Ok(Epoch(epoch.cast_unsigned()))),
        None => Ok(Err(refusal(conn, ask.run).await?)),
    }
}

async fn refusal<D: Dialect>(conn: &mut Conn<'_, D>, run: RunId) -> sqlx::Result<AcquireError> {
    let row: Option<StoredOwnership> =
        sql("SELECT r.epoch, o.id, o.name, o.pid, o.start, o.boot, o.until \
         FROM orch_runs AS r JOIN orch_owners AS o ON o.id = r.owner WHERE r.run = $1")
        .bind(run.to_string())
        .fetch_optional(conn)
        .await?;
    let Some(row) = row else { return Ok(AcquireError::NotFound(run)) };
    let (epoch, owner) = row.into_parts().map_err(sqlx::Error::Decode)?;
    Ok(AcquireError::Owned { run, owner: Box::new(owner), epoch })
}

/// Ends the ownership with `epoch`.
pub(crate) async fn release<D: Dialect>(
    conn: &mut Conn<'_, D>,
    run: RunId,
    epoch: Epoch,
) -> sqlx::Result<()> {
    sql("UPDATE orch_runs SET owner = NULL, rev = rev + 1 WHERE run = $1 AND epoch = $2")
        .bind(run.to_string())
        .bind(epoch.0.cast_signed())
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes the process of an attempt.
pub(crate) async fn note_process<D: Dialect>(
    conn: &mut Conn<'_, D>,
    note: &AttemptProcess,
) -> sqlx::Result<()> {
    sql("INSERT INTO orch_processes (run, fence, pid, start, boot) \
         SELECT id, $2, $3, $4, $5 FROM orch_runs WHERE run = $1")
    .bind(note.run.to_string())
    .bind(note.fence.0.cast_signed())
    .bind(i64::from(note.process.pid))
    .bind(note.process.start.cast_signed())
    .bind(&note.process.boot)
    .execute(conn)
    .await?;
    Ok(())
}

impl<D: Dialect> Reader<D> {
    /// Returns the noted processes of `run`, in the order in which they were noted.
    pub(crate) async fn processes(&self, run: RunId) -> Result<Vec<AttemptProcess>, JournalError> {
        let doing = || format!("read the processes of run {run}");
        let mut conn = self.connection(doing).await?;
        let rows: Vec<StoredProcess> =
            sql("SELECT p.fence, p.pid, p.start, p.boot FROM orch_processes AS p \
             JOIN orch_runs AS r ON r.id = p.run WHERE r.run = $1 ORDER BY p.rowid")
            .bind(run.to_string())
            .fetch_all(&mut Conn::from(&mut conn))
            .await
            .map_err(|source| failed_to(doing(), source))?;
        rows.into_iter().map(|row| row.into_process(run)).collect()
    }
}
