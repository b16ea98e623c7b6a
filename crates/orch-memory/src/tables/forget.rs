//! Deleting what a person wants forgotten.

use sqlx::QueryBuilder;

use super::{Conn, Db};
use crate::memory_error::failed_to;
use crate::{Forget, Forgotten, MemoryError};

/// Deletes what is chosen within the transaction of the caller, and returns how much it was.
pub(super) async fn forget(conn: &mut Conn, what: &Forget) -> Result<Forgotten, MemoryError> {
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
    Ok(forgotten)
}

/// A statement about the rows that are chosen; `worker` is the column that has the worker.
fn chosen(statement: &'static str, what: &Forget, worker: Option<&str>) -> QueryBuilder<Db> {
    let mut query = QueryBuilder::new(statement);
    query.push(" WHERE project = ").push_bind(what.project.as_str().to_owned());
    if let Some(task_type) = &what.task_type {
        query.push(" AND task_type = ").push_bind(task_type.clone());
    }
    if let (Some(name), Some(column)) = (&what.worker, worker) {
        query.push(format!(" AND {column} = ")).push_bind(name.as_str().to_owned());
    }
    query
}

async fn execute(conn: &mut Conn, mut query: QueryBuilder<Db>) -> Result<u64, MemoryError> {
    let done = query.build().execute(conn).await.map_err(failed_to("forget"))?;
    Ok(done.rows_affected())
}

async fn examples(conn: &mut Conn, what: &Forget) -> Result<u64, MemoryError> {
    let mut query = chosen("DELETE FROM orch_past", what, Some("agent"));
    if let Some(run) = &what.run {
        query.push(" AND run = ").push_bind(run.to_string());
    }
    execute(conn, query).await
}
