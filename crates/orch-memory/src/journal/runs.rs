//! The rows of runs.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use orch_core::journal::{JournalError, RunFilter, RunRow};
use orch_core::{BoxError, Digest, Epoch, ProjectId, RequestKey, RunId, Seq};

use super::Reader;
use super::chain::{self, to_text};
use super::stored::{StoredRun, in_order};
use crate::admission::{Changes, Found, Request, RunHeadRow, RunInsert, RunUpdate, Wanted};
use crate::error::failed_to;
use crate::journal::resources;
use crate::sql::{Conn, Dialect, Statement, sql, with_list};

/// How many runs are listed when the filter does not say.
const LISTED: u32 = 100;

impl<D: Dialect> Reader<D> {
    /// Returns the row of `run`.
    pub(crate) async fn row(&self, run: RunId) -> Result<Option<RunRow>, JournalError> {
        let doing = || format!("read run {run}");
        let mut conn = self.connection(doing).await?;
        let mut query = sql(StoredRun::SELECT);
        query.push("r.run = ").push_bind(run.to_string());
        Ok(fetch(&mut Conn::from(&mut conn), query, doing).await?.pop())
    }

    /// Lists runs, newest first.
    pub(crate) async fn rows(&self, filter: &RunFilter) -> Result<Vec<RunRow>, JournalError> {
        let mut conn = self.connection(|| LIST.to_owned()).await?;
        rows(&mut Conn::from(&mut conn), filter).await
    }

    /// Returns the last event of each of `runs` that exists, in their order.
    pub(crate) async fn heads(&self, runs: &[RunId]) -> Result<Vec<(RunId, Seq)>, JournalError> {
        let doing = || "read where runs stand".to_owned();
        let mut conn = self.connection(doing).await?;
        let text = with_list::<D>(
            "SELECT r.run, r.seq FROM {list} JOIN orch_runs AS r ON r.run = u.value ->> 0",
        );
        let names: Vec<[&RunId; 1]> = runs.iter().map(|run| [run]).collect();
        let found = sql(text).bind_list(names).fetch_all(&mut Conn::from(&mut conn)).await;
        Ok(in_order(runs, found.map_err(|source| failed_to(doing(), source))?))
    }

    /// Returns the run that was submitted under `key`.
    pub(crate) async fn run_of_request(
        &self,
        project: &ProjectId,
        key: &RequestKey,
    ) -> Result<Option<RunId>, JournalError> {
        let doing = || format!("look up request `{key}`");
        let mut conn = self.connection(doing).await?;
        let run: Option<String> =
            sql("SELECT run FROM orch_runs WHERE project = $1 AND request_key = $2")
                .bind(project.as_str())
                .bind(key.as_str())
                .fetch_optional(&mut Conn::from(&mut conn))
                .await
                .map_err(|source| failed_to(doing(), source))?;
        run.map(|run| {
            run.parse().map_err(|_| JournalError::Corrupt {
                what: format!("the run of request `{key}`"),
                reason: format!("`{run}` is no id of a run"),
            })
        })
        .transpose()
    }
}

const LIST: &str = "list runs";

/// Lists runs, newest first.
pub(crate) async fn rows<D: Dialect>(
    conn: &mut Conn<'_, D>,
    filter: &RunFilter,
) -> Result<Vec<RunRow>, JournalError> {
    fetch(conn, listing(filter), || LIST.to_owned()).await
}

async fn fetch<D: Dialect>(
    conn: &mut Conn<'_, D>,
    query: Statement<D>,
    doing: impl Fn() -> String,
) -> Result<Vec<RunRow>, JournalError> {
    let stored: Vec<StoredRun> =
        query.fetch_all(conn).await.map_err(|source| failed_to(doing(), source))?;
    stored.into_iter().map(StoredRun::into_row).collect()
}

fn listing<D: Dialect>(filter: &RunFilter) -> Statement<D> {
    let mut query = sql(StoredRun::SELECT);
    query.push("1 = 1");
    if let Some(project) = &filter.project {
        query.push(" AND r.project = ").push_bind(project.as_str());
    }
    if filter.open {
        query.push(" AND r.phase <> 'ended'");
    }
    begins(&mut query, "r.run", filter.prefix.as_deref());
    begins(&mut query, "r.request_key", filter.request_prefix.as_deref());
    if let Some(before) = filter.before {
        // Ids sort by time.
        query.push(" AND r.run < ").push_bind(before.to_string());
    }
    let limit = if filter.limit == 0 { LISTED } else { filter.limit };
    query.push(" ORDER BY r.run DESC LIMIT ").push_bind(i64::from(limit));
    query
}

/// All texts that begin so, as a range of the index: nothing sorts above the last code point, which Unicode keeps from ever being
/// a character.
fn begins<D: Dialect>(query: &mut Statement<D>, column: &str, prefix: Option<&str>) {
    if let Some(prefix) = prefix {
        query.push(&format!(" AND {column} >= ")).push_bind(prefix);
        query.push(&format!(" AND {column} < ")).push_bind(format!("{prefix}{}", char::MAX));
    }
}

/// Reads what must be known of `wanted`, within the transaction of the caller, which the statement for the runs may begin
/// ([`Dialect::HEADS`]).
pub(crate) async fn found<D: Dialect>(
    conn: &mut Conn<'_, D>,
    wanted: &Wanted,
) -> sqlx::Result<Found> {
    let names: Vec<[&RunId; 1]> = wanted.runs.iter().map(|run| [run]).collect();
    let rows: Vec<(i64, String, i64, i64, String, String)> =
        sql(with_list::<D>(D::HEADS)).bind_list(names).fetch_all(conn).await?;
    Ok(Found {
        runs: rows.into_iter().map(head_row).collect::<sqlx::Result<_>>()?,
        locks: resources::holders(conn, &wanted.locks).await?,
        requests: answers(conn, &wanted.requests).await?,
    })
}

fn head_row(
    (id, run, seq, epoch, phase, digest): (i64, String, i64, i64, String, String),
) -> sqlx::Result<(RunId, RunHeadRow)> {
    let (seq, epoch) = (Seq(seq.cast_unsigned()), Epoch(epoch.cast_unsigned()));
    // A run whose last event has a damaged digest is broken already, and keeps no other run of the transaction from being written.
    let digest = digest.parse().map_or(chain::START, |digest: Digest| *digest.as_bytes());
    let row = RunHeadRow { id: Some(id), seq, epoch, phase, digest };
    Ok((run_id(&run)?, row))
}

pub(crate) fn run_id(text: &str) -> sqlx::Result<RunId> {
    text.parse().map_err(undecodable)
}

fn undecodable(error: impl Into<BoxError>) -> sqlx::Error {
    sqlx::Error::Decode(error.into())
}

/// Returns the runs that were submitted under `requests`.
async fn answers<D: Dialect>(
    conn: &mut Conn<'_, D>,
    requests: &BTreeSet<Request>,
) -> sqlx::Result<BTreeMap<Request, RunId>> {
    if requests.is_empty() {
        return Ok(BTreeMap::new());
    }
    let text = with_list::<D>(
        "SELECT r.project, r.request_key, r.run FROM {list} \
         JOIN orch_runs AS r ON r.project = u.value ->> 0 AND r.request_key = u.value ->> 1",
    );
    let rows: Vec<(String, String, String)> = sql(text).bind_list(requests).fetch_all(conn).await?;
    let of = |(project, key, run): (String, String, String)| {
        Ok(((project.into(), key.into()), run_id(&run)?))
    };
    rows.into_iter().map(of).collect()
}

/// Writes what appends change, but for their events and blobs; returns the rows of all their runs.
pub(crate) async fn write<D: Dialect>(
    conn: &mut Conn<'_, D>,
    changes: Changes,
) -> sqlx::Result<HashMap<RunId, i64>> {
    let Changes { mut rows, inserts, updates, ended, freed, taken } = changes;
    for new in inserts {
        rows.insert(new.head.run, insert(conn, new).await?);
    }
    let updates = updates.into_iter().filter_map(|(run, update)| Some((*rows.get(&run)?, update)));
    let (moved, stayed) = updates.partition(|(_, update)| update.moved);
    update(conn, PHASE, moved).await?;
    update(conn, "", stayed).await?;
    clear_ended(conn, ended.iter().filter_map(|run| rows.get(run).copied()).collect()).await?;
    resources::free(conn, &freed).await?;
    resources::take(conn, &taken, &rows).await?;
    Ok(rows)
}

async fn insert<D: Dialect>(conn: &mut Conn<'_, D>, insert: RunInsert) -> sqlx::Result<i64> {
    let RunInsert { head, owner: (owner, epoch), update } = insert;
    let id: Option<i64> = sql(
        "INSERT INTO orch_runs (run, project, task_id, task_type, description, request_key, phase, \
         end_status, counts, seq, digest, rev, created_at, updated_at, owner, epoch) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) RETURNING id",
    )
    .bind(head.run.to_string())
    .bind(head.project.as_str())
    .bind(head.task_id.as_str())
    .bind(&head.task_type)
    .bind(&head.description)
    .bind(head.request_key.as_ref().map(|key| key.as_str()))
    .bind(update.summary.phase.as_str())
    .bind(update.summary.end.map(|end| end.as_str()))
    .bind(update.counts)
    .bind(update.seq.0.cast_signed())
    .bind(to_text(&update.digest))
    .bind(update.writes)
    .bind(head.created_at.as_microsecond())
    .bind(update.updated_at)
    .bind(owner.as_ref().map(|owner| owner.as_str()))
    .bind(epoch.0.cast_signed())
    .fetch_optional(conn)
    .await?;
    id.ok_or(sqlx::Error::RowNotFound)
}

/// Written only when it has changed: it stands in an index, of which SQLite writes a whole page anew whether or not it has.
const PHASE: &str = ", phase = u.value ->> 6, end_status = u.value ->> 7";

async fn update<D: Dialect>(
    conn: &mut Conn<'_, D>,
    phase: &str,
    updates: Vec<(i64, RunUpdate)>,
) -> sqlx::Result<()> {
    if updates.is_empty() {
        return Ok(());
    }
    let text = with_list::<D>(&format!(
        "UPDATE orch_runs SET counts = u.value ->> 1, seq = CAST(u.value ->> 2 AS BIGINT), \
         updated_at = CAST(u.value ->> 3 AS BIGINT), digest = u.value ->> 4, \
         rev = rev + CAST(u.value ->> 5 AS BIGINT){phase} \
         FROM {{list}} WHERE orch_runs.id = CAST(u.value ->> 0 AS BIGINT)"
    ));
    let values = |(id, update): (i64, RunUpdate)| {
        let RunUpdate { summary, counts, seq, updated_at, digest, writes, moved: _ } = update;
        let (phase, end) = (summary.phase.as_str(), summary.end.map(|end| end.as_str()));
        (id, counts, seq.0, updated_at, to_text(&digest), writes, phase, end)
    };
    let values: Vec<_> = updates.into_iter().map(values).collect();
    sql(text).bind_list(values).execute(conn).await.map(drop)
}

/// Ended runs own nothing and nobody owns them.
async fn clear_ended<D: Dialect>(conn: &mut Conn<'_, D>, rows: Vec<i64>) -> sqlx::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    for text in [
        "UPDATE orch_runs SET owner = NULL WHERE id IN ",
        "DELETE FROM orch_resources WHERE run IN ",
        "DELETE FROM orch_processes WHERE run IN ",
    ] {
        let mut query = sql(text);
        query.push_list(rows.iter().copied());
        query.execute(conn).await?;
    }
    Ok(())
}
