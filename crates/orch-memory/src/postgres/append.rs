//! The appends of one transaction, without its commit.
//!
//! Everything that the checks depend on is locked before it is read, so that it cannot change until the commit: first what
//! may not exist yet (new runs, requests, locks of projects), by advisory locks on hashes of the names, then the rows of the
//! runs. All processes do it in this order, and in both parts in one and the same order, so they wait for each other in
//! no circle. Two names with one hash wait for each other without need, and nothing else.

use orch_core::journal::AppendError;
use orch_core::{BoxError, Epoch, RunId, Seq};
use sqlx::postgres::PgConnection;

use super::{events, locks, runs};
use crate::admission::{Admission, Changes, Found, Standing, Wanted};
use crate::prepared::Prepared;

/// Begins a transaction and carries out `appends`; says of each whether it was taken in. The caller commits, or rolls back
/// on an error.
pub(super) async fn append(
    conn: &mut PgConnection,
    appends: &[Prepared],
) -> sqlx::Result<Vec<Result<(), AppendError>>> {
    // Every statement must see what was committed while it waited for a lock, whatever the server's default is.
    sqlx::raw_sql("BEGIN ISOLATION LEVEL READ COMMITTED").execute(&mut *conn).await?;
    let mut admission = Admission::new(found(conn, appends).await?);
    let outcomes: Vec<_> = appends.iter().map(|append| admission.admit(append)).collect();
    let admitted = appends.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_ok());
    let rows: Vec<_> = admitted.flat_map(|(append, _)| &append.rows).collect();
    write(conn, admission.into_changes()).await?;
    events::insert(conn, &rows).await?;
    Ok(outcomes)
}

async fn found(conn: &mut PgConnection, appends: &[Prepared]) -> sqlx::Result<Found> {
    let wanted = Wanted::of(appends);
    let names = names(&wanted, appends);
    if !names.is_empty() {
        sqlx::query(
            "SELECT pg_advisory_xact_lock(key) FROM (SELECT DISTINCT hashtextextended(name, 0) AS key \
             FROM unnest($1::text[]) AS name ORDER BY key) AS keys",
        )
        .bind(names)
        .execute(&mut *conn)
        .await?;
    }
    let runs = wanted.runs.iter().map(RunId::to_string).collect::<Vec<_>>();
    let rows: Vec<(String, i64, i64, String)> = sqlx::query_as(
        "SELECT run, seq, epoch, phase FROM orch_runs WHERE run = ANY($1) ORDER BY run FOR UPDATE",
    )
    .bind(runs)
    .fetch_all(&mut *conn)
    .await?;
    Ok(Found {
        runs: rows.into_iter().map(standing).collect::<sqlx::Result<_>>()?,
        locks: locks::holders(conn, &wanted.locks).await?,
        requests: runs::answers(conn, &wanted.requests).await?,
    })
}

/// The names of what may not exist yet.
fn names(wanted: &Wanted, appends: &[Prepared]) -> Vec<String> {
    let new = appends.iter().filter(|append| append.expected == Seq(0));
    let runs = new.map(|append| format!("orch run {}", append.name));
    let locks = wanted.locks.iter().map(|(project, lock)| format!("orch lock {project} {lock}"));
    let requests =
        wanted.requests.iter().map(|(project, key)| format!("orch request {project} {key}"));
    runs.chain(locks).chain(requests).collect()
}

fn standing(
    (run, seq, epoch, phase): (String, i64, i64, String),
) -> sqlx::Result<(RunId, Standing)> {
    let (seq, epoch) = (Seq(seq.cast_unsigned()), Epoch(epoch.cast_unsigned()));
    Ok((run_id(&run)?, Standing { seq, epoch, phase }))
}

pub(super) fn run_id(text: &str) -> sqlx::Result<RunId> {
    text.parse().map_err(|error| sqlx::Error::Decode(BoxError::from(error)))
}

async fn write(conn: &mut PgConnection, changes: Changes) -> sqlx::Result<()> {
    let Changes { inserts, updates, ended, freed, taken } = changes;
    for insert in inserts {
        runs::insert(conn, insert).await?;
    }
    runs::update(conn, updates.into_values().collect()).await?;
    if !ended.is_empty() {
        runs::clear_ended(conn, ended.keys().map(RunId::to_string).collect()).await?;
    }
    locks::free(conn, freed).await?;
    locks::take(conn, taken).await
}
