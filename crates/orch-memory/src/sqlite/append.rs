//! The appends of one transaction, checked one after the other and written together.
//!
//! Where the runs stand is read once at the beginning; since nobody else can write before the commit, it is then kept in
//! memory. Rows of events and of runs that exist are gathered and written at the end, for all runs at once, because every
//! statement costs a change of threads. What is rare, or must be seen by the checks that follow, is written at once.

use std::collections::HashMap;

use orch_core::journal::AppendError;
use orch_core::{Epoch, RunId, RunPhase, Seq};
use sqlx::SqliteConnection;

use super::events::{self, EventRow};
use super::prepared::Prepared;
use super::{blobs, locks};

/// What the appends of one transaction have come to.
#[derive(Default)]
pub(super) struct Appends {
    /// Where the runs stand that exist and are appended to.
    standings: HashMap<RunId, Standing>,
    rows: Vec<EventRow>,
    /// The new rows of runs that exist, as JSON has them, and whether their phase is another than it was.
    updates: HashMap<RunId, (Update, bool)>,
}

#[derive(Clone, Default)]
struct Standing {
    seq: Seq,
    epoch: Epoch,
    /// Before the transaction; empty for runs that did not exist.
    phase: String,
}

/// Name, phase, end, counts, last event and its time.
type Update = (std::sync::Arc<str>, &'static str, Option<&'static str>, String, i64, i64);

impl Appends {
    /// Begins a transaction that writes, and reads where `runs` stand.
    pub(super) async fn begin(
        conn: &mut SqliteConnection,
        runs: impl Iterator<Item = RunId>,
    ) -> sqlx::Result<Self> {
        let names: Vec<RunId> = runs.collect();
        let names = serde_json::to_string(&names).expect("ids have a JSON form");
        let found: Vec<(String, i64, i64, String)> = sqlx::query_as(
            "BEGIN IMMEDIATE; \
             SELECT run, seq, epoch, phase FROM orch_runs WHERE run IN (SELECT value FROM json_each(?))",
        )
        .bind(names)
        .fetch_all(conn)
        .await?;
        let mut standings = HashMap::with_capacity(found.len());
        for (run, seq, epoch, phase) in found {
            let run = run.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            let (seq, epoch) = (Seq(seq.cast_unsigned()), Epoch(epoch.cast_unsigned()));
            standings.insert(run, Standing { seq, epoch, phase });
        }
        Ok(Self { standings, ..Self::default() })
    }

    /// Checks `append`, and takes it in unless it must be refused.
    pub(super) async fn admit(
        &mut self,
        conn: &mut SqliteConnection,
        append: &mut Prepared,
    ) -> sqlx::Result<Result<(), AppendError>> {
        if let Some(refusal) = self.refusal(conn, append).await? {
            return Ok(Err(refusal));
        }
        if !append.rows.is_empty() {
            self.take_in(conn, append).await?;
        }
        Ok(Ok(()))
    }

    /// Finds out why `append` must not be written, in the order in which the errors help: a writer without ownership has to
    /// stop, one that is behind has to catch up, and only who is up to date can do something about locks and requests.
    async fn refusal(
        &self,
        conn: &mut SqliteConnection,
        append: &Prepared,
    ) -> sqlx::Result<Option<AppendError>> {
        let (run, expected) = (append.run(), append.expected);
        let standing = self.standings.get(&run);
        let (actual, epoch) = standing.map(|it| (it.seq, it.epoch)).unwrap_or_default();
        if let Some(mine) = append.epoch
            && mine != epoch
        {
            return Ok(Some(AppendError::Fenced { run, epoch: mine, actual: epoch }));
        }
        if actual != expected {
            return Ok(Some(AppendError::Conflict { run, expected, actual }));
        }
        let project = &append.head.project;
        let held = locks::held(conn, run, project, &append.take, &append.free).await?;
        if let Some((lock, holder)) = held {
            return Ok(Some(AppendError::LockHeld { run, lock, holder }));
        }
        answered_before(conn, append).await
    }

    async fn take_in(
        &mut self,
        conn: &mut SqliteConnection,
        append: &mut Prepared,
    ) -> sqlx::Result<()> {
        let standing = self.standings.entry(append.run()).or_default();
        standing.seq = append.last;
        if append.expected == Seq(0) {
            insert_run(conn, append).await?;
        } else {
            let moved = standing.phase != append.summary.phase.as_str();
            self.updates.insert(append.run(), (update(append), moved));
        }
        self.rows.append(&mut append.rows);
        for blob in &append.blobs {
            blobs::write(conn, blob).await?;
        }
        let project = &append.head.project;
        locks::free(conn, &append.name, project, &append.free).await?;
        locks::take(conn, &append.name, project, &append.take).await?;
        if append.summary.phase == RunPhase::Ended {
            clear_ended(conn, &append.name).await?;
        }
        Ok(())
    }

    /// Writes what was gathered.
    pub(super) async fn flush(self, conn: &mut SqliteConnection) -> sqlx::Result<()> {
        let (moved, stayed): (Vec<_>, Vec<_>) =
            self.updates.into_values().partition(|(_, moved)| *moved);
        update_runs(conn, MOVED, moved).await?;
        update_runs(conn, STAYED, stayed).await?;
        events::insert(conn, self.rows).await
    }
}

async fn answered_before(
    conn: &mut SqliteConnection,
    append: &Prepared,
) -> sqlx::Result<Option<AppendError>> {
    let Some(key) = append.head.request_key.as_ref().filter(|_| append.expected == Seq(0)) else {
        return Ok(None);
    };
    let existing: Option<String> =
        sqlx::query_scalar("SELECT run FROM orch_runs WHERE project = ? AND request_key = ?")
            .bind(append.head.project.as_str())
            .bind(key.as_str())
            .fetch_optional(conn)
            .await?;
    let Some(existing) = existing else { return Ok(None) };
    let existing = existing.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(Some(AppendError::RequestTaken { run: append.run(), key: key.clone(), existing }))
}

async fn insert_run(conn: &mut SqliteConnection, append: &Prepared) -> sqlx::Result<()> {
    let head = &append.head;
    sqlx::query(
        "INSERT INTO orch_runs (run, project, task_id, task_type, description, request_key, \
         phase, end_status, counts, seq, created_at, updated_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(append.name.clone())
    .bind(head.project.as_str())
    .bind(head.task_id.as_str())
    .bind(&head.task_type)
    .bind(&head.description)
    .bind(head.request_key.as_ref().map(|key| key.as_str()))
    .bind(append.summary.phase.as_str())
    .bind(append.summary.end.map(|end| end.as_str()))
    .bind(&append.counts)
    .bind(append.last.0.cast_signed())
    .bind(head.created_at.as_microsecond())
    .bind(append.updated_at)
    .execute(conn)
    .await?;
    Ok(())
}

fn update(append: &mut Prepared) -> Update {
    (
        append.name.clone(),
        append.summary.phase.as_str(),
        append.summary.end.map(|end| end.as_str()),
        std::mem::take(&mut append.counts),
        append.last.0.cast_signed(),
        append.updated_at,
    )
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
    updates: Vec<(Update, bool)>,
) -> sqlx::Result<()> {
    if updates.is_empty() {
        return Ok(());
    }
    let updates: Vec<Update> = updates.into_iter().map(|(update, _)| update).collect();
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
