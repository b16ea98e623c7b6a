//! The appends of one transaction, without its commit.
//!
//! Everything that the checks depend on is locked before it is read, so that it cannot change until the commit: first what
//! may not exist yet (new runs, requests, locks of projects), by advisory locks on hashes of the names, then the rows of the
//! runs. All processes do it in this order, and in both parts in one and the same order, so they wait for each other in
//! no circle. Two names with one hash wait for each other without need, and nothing else.

use orch_core::Seq;
use orch_core::journal::AppendError;
use sqlx::Postgres;
use sqlx::postgres::PgConnection;

use super::events;
use crate::admission::{Admission, Wanted};
use crate::journal::runs;
use crate::prepared::Prepared;
use crate::sql::{Conn, Dialect as _, sql};

/// Begins a transaction and carries out `appends`; says of each whether it was taken in. The caller commits, or rolls back
/// on an error.
pub(super) async fn append(
    conn: &mut PgConnection,
    appends: &mut [Prepared],
) -> sqlx::Result<Vec<Result<(), AppendError>>> {
    // Every statement must see what was committed while it waited for a lock, whatever the server's default is.
    sqlx::raw_sql(Postgres::BEGIN_WRITE).execute(&mut *conn).await?;
    let wanted = Wanted::of(&*appends);
    let journal = &mut Conn::<Postgres>::new(conn);
    lock(journal, names(&wanted, appends)).await?;
    let mut admission = Admission::new(runs::found(journal, &wanted).await?);
    let outcomes: Vec<_> = appends.iter_mut().map(|append| admission.admit(append)).collect();
    let rows = runs::write(journal, admission.into_changes()).await?;
    let admitted = appends.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_ok());
    let events: Vec<_> = admitted.flat_map(|(append, _)| &append.rows).collect();
    events::insert(conn, &events, &rows).await?;
    Ok(outcomes)
}

/// Waits until nobody else has a transaction about one of `names`, until the end of this one.
async fn lock(conn: &mut Conn<'_, Postgres>, names: Vec<[String; 1]>) -> sqlx::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let text = "SELECT pg_advisory_xact_lock(key) FROM (SELECT DISTINCT \
                hashtextextended(u.value ->> 0, 0) AS key \
                FROM json_array_elements($1::json) AS u (value) ORDER BY key) AS keys";
    sql(text).bind_list(names).execute(conn).await.map(drop)
}

/// The names of what may not exist yet.
fn names(wanted: &Wanted, appends: &[Prepared]) -> Vec<[String; 1]> {
    let new = appends.iter().filter(|append| append.expected == Seq(0));
    let runs = new.map(|append| format!("orch run {}", append.run()));
    let locks = wanted.locks.iter().map(|(project, lock)| format!("orch lock {project} {lock}"));
    let requests =
        wanted.requests.iter().map(|(project, key)| format!("orch request {project} {key}"));
    runs.chain(locks).chain(requests).map(|name| [name]).collect()
}
