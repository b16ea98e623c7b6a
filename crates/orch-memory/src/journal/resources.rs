//! The table `orch_resources`: what a run holds of what runs of a project share. Today these are locks.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use orch_core::journal::JournalError;
use orch_core::{LockName, ProjectId, RunId};

use super::Reader;
use super::runs::run_id;
use crate::admission::LockKey;
use crate::error::failed_to;
use crate::sql::{Conn, Dialect, sql, with_list};

impl<D: Dialect> Reader<D> {
    /// Returns the run that holds a lock.
    pub(crate) async fn lock_holder(
        &self,
        project: &ProjectId,
        lock: &LockName,
    ) -> Result<Option<RunId>, JournalError> {
        let doing = || format!("look up lock `{lock}`");
        let mut conn = self.connection(doing).await?;
        let wanted = BTreeSet::from([(project.clone(), lock.clone())]);
        let found = holders(&mut Conn::from(&mut conn), &wanted).await;
        Ok(found.map_err(|source| failed_to(doing(), source))?.into_values().next())
    }
}

/// Returns those of `locks` that are held, with their holders.
pub(crate) async fn holders<D: Dialect>(
    conn: &mut Conn<'_, D>,
    locks: &BTreeSet<LockKey>,
) -> sqlx::Result<BTreeMap<LockKey, RunId>> {
    if locks.is_empty() {
        return Ok(BTreeMap::new());
    }
    let text = with_list::<D>(
        "SELECT h.project, h.name, r.run FROM {list} JOIN orch_resources AS h ON h.kind = 'lock' \
         AND h.project = u.value ->> 0 AND h.name = u.value ->> 1 \
         JOIN orch_runs AS r ON r.id = h.run",
    );
    let rows: Vec<(String, String, String)> = sql(text).bind_list(locks).fetch_all(conn).await?;
    let of = |(project, name, run): (String, String, String)| {
        Ok(((project.into(), name.into()), run_id(&run)?))
    };
    rows.into_iter().map(of).collect()
}

/// Frees the named locks.
pub(crate) async fn free<D: Dialect>(
    conn: &mut Conn<'_, D>,
    locks: &[LockKey],
) -> sqlx::Result<()> {
    if locks.is_empty() {
        return Ok(());
    }
    let text = with_list::<D>(
        "DELETE FROM orch_resources WHERE kind = 'lock' \
         AND (project, name) IN (SELECT u.value ->> 0, u.value ->> 1 FROM {list})",
    );
    sql(text).bind_list(locks).execute(conn).await.map(drop)
}

/// Takes locks, which are known to be free; `rows` has the rows of the runs.
pub(crate) async fn take<D: Dialect>(
    conn: &mut Conn<'_, D>,
    locks: &[(LockKey, RunId)],
    rows: &HashMap<RunId, i64>,
) -> sqlx::Result<()> {
    if locks.is_empty() {
        return Ok(());
    }
    let text = with_list::<D>(
        "INSERT INTO orch_resources (project, kind, name, run) SELECT u.value ->> 0, 'lock', \
         u.value ->> 1, CAST(u.value ->> 2 AS BIGINT) FROM {list}",
    );
    let locks = locks.iter().map(|((project, name), run)| (project, name, rows.get(run)));
    sql(text).bind_list(locks.collect::<Vec<_>>()).execute(conn).await.map(drop)
}
