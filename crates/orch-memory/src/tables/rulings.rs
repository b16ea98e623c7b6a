//! What a person has decided about rules.

use orch_core::ProjectId;

use super::rows;
use crate::MemoryError;
use crate::learned::{Record, Ruling, Sink};
use crate::memory_error::failed_to;
use crate::sql::{Conn, Dialect, sql};

/// Returns the decisions of a project.
pub(super) async fn read<D: Dialect>(
    conn: &mut Conn<'_, D>,
    project: &ProjectId,
) -> Result<Vec<Ruling>, MemoryError> {
    let bodies: Vec<String> = sql("SELECT body FROM orch_rulings WHERE project = $1 ORDER BY rule")
        .bind(project.as_str())
        .fetch_all(conn)
        .await
        .map_err(failed_to("read what was decided about rules"))?;
    bodies.iter().map(|body| rows::decode(body, what)).collect()
}

/// Returns the decision about a rule.
pub(super) async fn find<D: Dialect>(
    conn: &mut Conn<'_, D>,
    project: &ProjectId,
    id: &str,
) -> Result<Option<Ruling>, MemoryError> {
    let body: Option<String> =
        sql("SELECT body FROM orch_rulings WHERE project = $1 AND rule = $2")
            .bind(project.as_str())
            .bind(id)
            .fetch_optional(conn)
            .await
            .map_err(failed_to("read what was decided about a rule"))?;
    body.map(|body| rows::decode(&body, what)).transpose()
}

fn what() -> String {
    "what was decided about a rule".to_owned()
}

/// Keeps a decision.
pub(super) async fn write<D: Dialect>(
    conn: &mut Conn<'_, D>,
    project: &ProjectId,
    ruling: &Ruling,
) -> Result<(), MemoryError> {
    sql(
        "INSERT INTO orch_rulings (project, rule, verdict, body) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (project, rule) DO UPDATE SET verdict = excluded.verdict, body = excluded.body",
    )
    .bind(project.as_str())
    .bind(ruling.heuristic.id())
    .bind(ruling.verdict.as_str())
    .bind(rows::encode(ruling)?)
    .execute(conn)
    .await
    .map_err(failed_to("write what was decided about a rule"))?;
    Ok(())
}

/// Takes a decision back.
pub(super) async fn delete<D: Dialect>(
    conn: &mut Conn<'_, D>,
    project: &ProjectId,
    id: &str,
) -> Result<(), MemoryError> {
    sql("DELETE FROM orch_rulings WHERE project = $1 AND rule = $2")
        .bind(project.as_str())
        .bind(id)
        .execute(conn)
        .await
        .map_err(failed_to("take back what was decided about a rule"))?;
    Ok(())
}

/// Gives all decisions to `sink`.
pub(super) async fn export<D: Dialect>(
    conn: &mut Conn<'_, D>,
    sink: &mut Sink<'_>,
) -> Result<(), MemoryError> {
    let all: Vec<(String, String)> =
        sql("SELECT project, body FROM orch_rulings ORDER BY project, rule")
            .fetch_all(conn)
            .await
            .map_err(failed_to("read what was decided about rules"))?;
    for (project, body) in all {
        let ruling = Box::new(rows::decode(&body, what)?);
        sink(&Record::Ruling { project: project.into(), ruling })?;
    }
    Ok(())
}
