//! Deleting what a person wants forgotten.

use super::rows;
use crate::learned::{Grades, strip};
use crate::memory_error::failed_to;
use crate::sql::{Conn, Dialect, Statement, sql};
use crate::{Forget, Forgotten, MemoryError};

/// Deletes what is chosen within the transaction of the caller, and returns how much it was.
pub(super) async fn forget<D: Dialect>(
    conn: &mut Conn<'_, D>,
    what: &Forget,
) -> Result<Forgotten, MemoryError> {
    let mut forgotten = Forgotten { examples: examples(conn, what).await?, ..Forgotten::default() };
    // Sums do not know which runs are in them.
    if what.run.is_none() {
        let by_worker = chosen("DELETE FROM orch_worker_stats", what, Some("worker"));
        forgotten.workers = execute(conn, by_worker).await?;
        if what.worker.is_none() {
            let of_tasks = chosen("DELETE FROM orch_task_stats", what, None);
            forgotten.tasks = execute(conn, of_tasks).await?;
        }
    }
    if what.is_everything() {
        let rulings = chosen("DELETE FROM orch_rulings", what, None);
        forgotten.rulings = execute(conn, rulings).await?;
    } else if what.worker.is_some() || what.task_type.is_some() {
        forgotten.parts = parts(conn, what).await?;
    }
    Ok(forgotten)
}

/// How many past runs are read at a time.
const PAGE: i64 = 100;

/// Takes what is chosen out of the runs that are kept; returns of how many it was a part.
async fn parts<D: Dialect>(conn: &mut Conn<'_, D>, what: &Forget) -> Result<u64, MemoryError> {
    let (mut last, mut changed) = (String::new(), 0);
    loop {
        let page: Vec<(String, String, String)> = sql("SELECT run, body, grades FROM orch_past \
             WHERE step = '' AND project = $1 AND run > $2 ORDER BY run LIMIT $3")
        .bind(what.project.as_str())
        .bind(&last)
        .bind(PAGE)
        .fetch_all(&mut *conn)
        .await
        .map_err(failed_to("read past runs"))?;
        let Some((end, ..)) = page.last() else { return Ok(changed) };
        last.clone_from(end);
        for (run, body, grades) in page {
            changed += u64::from(part(conn, what, &run, &body, &grades).await?);
        }
    }
}

async fn part<D: Dialect>(
    conn: &mut Conn<'_, D>,
    what: &Forget,
    run: &str,
    body: &str,
    grades: &str,
) -> Result<bool, MemoryError> {
    let corrupt = || format!("the outcome of run {run}");
    if what.run.is_some_and(|chosen| chosen.to_string() != run) {
        return Ok(false);
    }
    let (mut past, mut grades) =
        (rows::decode(body, corrupt)?, rows::decode::<Grades>(grades, corrupt)?);
    let is_changed = strip(&mut past, what);
    // What a run has added to sums that stay can still be graded.
    let is_stripped = what.run.is_none() && grades.strip(what);
    if !is_changed && !is_stripped {
        return Ok(false);
    }
    sql("UPDATE orch_past SET body = $1, grades = $2 WHERE run = $3 AND step = ''")
        .bind(rows::encode(&past)?)
        .bind(rows::encode(&grades)?)
        .bind(run)
        .execute(conn)
        .await
        .map_err(failed_to("forget a part of a run"))?;
    Ok(true)
}

/// A statement about the rows that are chosen; `worker` is the column that has the worker.
fn chosen<D: Dialect>(
    statement: &'static str,
    what: &Forget,
    worker: Option<&str>,
) -> Statement<D> {
    let mut query = sql(statement);
    query.push(" WHERE project = ").push_bind(what.project.as_str());
    if let Some(task_type) = &what.task_type {
        query.push(" AND task_type = ").push_bind(task_type);
    }
    if let (Some(name), Some(column)) = (&what.worker, worker) {
        query.push(&format!(" AND {column} = ")).push_bind(name.as_str());
    }
    query
}

async fn execute<D: Dialect>(
    conn: &mut Conn<'_, D>,
    query: Statement<D>,
) -> Result<u64, MemoryError> {
    query.execute(conn).await.map_err(failed_to("forget"))
}

async fn examples<D: Dialect>(conn: &mut Conn<'_, D>, what: &Forget) -> Result<u64, MemoryError> {
    let mut query = chosen("DELETE FROM orch_past", what, Some("agent"));
    if let Some(run) = &what.run {
        query.push(" AND run = ").push_bind(run.to_string());
    }
    execute(conn, query).await
}
