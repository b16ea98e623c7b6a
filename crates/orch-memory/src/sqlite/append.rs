//! The appends of one transaction: what they need is read at its beginning, what they change is written at its end.
//!
//! Since nobody else can write before the commit, `admission` judges them in memory. Rows are gathered and written for all
//! runs at once, because every statement costs a change of threads.

use std::collections::HashMap;

use orch_core::journal::AppendError;
use orch_core::{BoxError, Epoch, RunId, Seq};
use sqlx::SqliteConnection;

use super::{blobs, events, locks};
use crate::admission::{
    Admission, Changes, Found, Request, RunInsert, RunUpdate, Standing, Wanted,
};
use crate::prepared::{EventRow, Prepared};

/// What the appends of one transaction have come to.
pub(super) struct Appends {
    admission: Admission,
    rows: Vec<EventRow>,
}

impl Appends {
    /// Begins a transaction that writes, and reads what must be known of `wanted`.
    pub(super) async fn begin(conn: &mut SqliteConnection, wanted: &Wanted) -> sqlx::Result<Self> {
        let mut found = Found { runs: standings(conn, wanted).await?, ..Found::default() };
        for lock in &wanted.locks {
            let holder = locks::holder(conn, lock).await?;
            found.locks.extend(holder.map(|holder| (lock.clone(), holder)));
        }
        for request in &wanted.requests {
            let run = answer(conn, request).await?;
            found.requests.extend(run.map(|run| (request.clone(), run)));
        }
        Ok(Self { admission: Admission::new(found), rows: Vec::new() })
    }

    /// Checks `append`, and takes it in unless it must be refused.
    pub(super) async fn admit(
        &mut self,
        conn: &mut SqliteConnection,
        append: &mut Prepared,
    ) -> sqlx::Result<Result<(), AppendError>> {
        if let Err(refusal) = self.admission.admit(append) {
            return Ok(Err(refusal));
        }
        if !append.rows.is_empty() {
            self.rows.append(&mut append.rows);
            for blob in &append.blobs {
                blobs::write(conn, blob).await?;
            }
        }
        Ok(Ok(()))
    }

    /// Writes what was gathered.
    pub(super) async fn flush(self, conn: &mut SqliteConnection) -> sqlx::Result<()> {
        let Changes { inserts, updates, ended, freed, taken } = self.admission.into_changes();
        for insert in inserts {
            insert_run(conn, insert).await?;
        }
        let (moved, stayed): (Vec<_>, Vec<_>) =
            updates.into_values().partition(|update| update.moved);
        update_runs(conn, MOVED, moved).await?;
        update_runs(conn, STAYED, stayed).await?;
        for name in ended.values() {
            clear_ended(conn, name).await?;
        }
        locks::free(conn, &freed).await?;
        locks::take(conn, &taken).await?;
        events::insert(conn, self.rows).await
    }
}

async fn standings(
    conn: &mut SqliteConnection,
    wanted: &Wanted,
) -> sqlx::Result<HashMap<RunId, Standing>> {
    let names = serde_json::to_string(&wanted.runs).expect("ids have a JSON form");
    let found: Vec<(String, i64, i64, String)> = sqlx::query_as(
        "BEGIN IMMEDIATE; \
         SELECT run, seq, epoch, phase FROM orch_runs WHERE run IN (SELECT value FROM json_each(?))",
    )
    .bind(names)
    .fetch_all(conn)
    .await?;
    found.into_iter().map(standing).collect()
}

fn standing(
    (run, seq, epoch, phase): (String, i64, i64, String),
) -> sqlx::Result<(RunId, Standing)> {
    let (seq, epoch) = (Seq(seq.cast_unsigned()), Epoch(epoch.cast_unsigned()));
    Ok((run.parse().map_err(undecodable)?, Standing { seq, epoch, phase }))
}

fn undecodable(error: impl Into<BoxError>) -> sqlx::Error {
    sqlx::Error::Decode(error.into())
}

async fn answer(
    conn: &mut SqliteConnection,
    (project, key): &Request,
) -> sqlx::Result<Option<RunId>> {
    let run: Option<String> =
        sqlx::query_scalar("SELECT run FROM orch_runs WHERE project = ? AND request_key = ?")
            .bind(project.as_str())
            .bind(key.as_str())
            .fetch_optional(conn)
            .await?;
    run.map(|run| run.parse().map_err(undecodable)).transpose()
}

async fn insert_run(conn: &mut SqliteConnection, insert: RunInsert) -> sqlx::Result<()> {
    let RunInsert { head, owner: (owner, epoch), update } = insert;
    sqlx::query(
        "INSERT INTO orch_runs (run, project, task_id, task_type, description, request_key, \
         phase, end_status, counts, seq, created_at, updated_at, owner, epoch) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(update.name)
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

const MOVED: &str = "UPDATE orch_runs SET phase = u.value ->> 1, end_status = u.value ->> 2, \
     counts = u.value ->> 3, seq = u.value ->> 4, updated_at = u.value ->> 5 \
     FROM json_each(?) AS u WHERE orch_runs.run = u.value ->> 0";

/// Without the phase, which stands in an index: an index is written anew, a whole page, also when nothing in it changes.
const STAYED: &str = "UPDATE orch_runs SET counts = u.value ->> 3, seq = u.value ->> 4, \
     updated_at = u.value ->> 5 FROM json_each(?) AS u WHERE orch_runs.run = u.value ->> 0";

async fn update_runs(
    conn: &mut SqliteConnection,
    sql: &'static str,
    updates: Vec<RunUpdate>,
) -> sqlx::Result<()> {
    if updates.is_empty() {
        return Ok(());
    }
    let values = |update: RunUpdate| {
        let RunUpdate { name, summary, counts, seq, updated_at, moved: _ } = update;
        (
            name,
            summary.phase.as_str(),
            summary.end.map(|end| end.as_str()),
            counts,
            seq.0,
            updated_at,
        )
    };
    let updates: Vec<_> = updates.into_iter().map(values).collect();
    let updates = serde_json::to_string(&updates).expect("texts and numbers have a JSON form");
    sqlx::query(sql).bind(updates).execute(conn).await?;
    Ok(())
}

/// An ended run owns nothing and nobody owns it.
async fn clear_ended(conn: &mut SqliteConnection, run: &str) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE orch_runs SET owner = NULL WHERE run = ?1; \
         DELETE FROM orch_locks WHERE run = ?1; \
         DELETE FROM orch_processes WHERE run = ?1",
    )
    .bind(run)
    .execute(conn)
    .await?;
    Ok(())
}
