//! Marks of runs that ALMA is to be told of.

use orch_core::{ProjectId, RunId};

use crate::MemoryError;
use crate::memory_error::failed_to;
use crate::sql::{Conn, Dialect, sql};

/// Marks a run.
pub(super) async fn mark<D: Dialect>(
    conn: &mut Conn<'_, D>,
    project: &ProjectId,
    run: RunId,
) -> Result<(), MemoryError> {
    sql(
        "INSERT INTO orch_untold (project, run) VALUES ($1, $2) ON CONFLICT (project, run) DO NOTHING",
    )
    .bind(project.as_str())
    .bind(run.to_string())
    .execute(conn)
    .await
    .map_err(failed_to("note that ALMA is to be told of a run"))?;
    Ok(())
}

/// Returns the runs that are marked, in the order of their ids.
#[cfg(feature = "alma")]
pub(super) async fn all<D: Dialect>(
    conn: &mut Conn<'_, D>,
    project: &ProjectId,
) -> Result<Vec<RunId>, MemoryError> {
    let runs: Vec<String> = sql("SELECT run FROM orch_untold WHERE project = $1 ORDER BY run")
        .bind(project.as_str())
        .fetch_all(conn)
        .await
        .map_err(failed_to("see of which runs ALMA is to be told"))?;
    runs.iter().map(|run| super::past::run_id(run)).collect()
}

/// Takes a mark away.
#[cfg(feature = "alma")]
pub(super) async fn clear<D: Dialect>(
    conn: &mut Conn<'_, D>,
    project: &ProjectId,
    run: RunId,
) -> Result<(), MemoryError> {
    sql("DELETE FROM orch_untold WHERE project = $1 AND run = $2")
        .bind(project.as_str())
        .bind(run.to_string())
        .execute(conn)
        .await
        .map_err(failed_to("note that ALMA was told of a run"))?;
    Ok(())
}
