//! All rows out.

use super::{past, rows, rulings};
use crate::MemoryError;
use crate::learned::{Example, Record, Sink};
use crate::memory_error::failed_to;
use crate::sql::{Conn, Dialect, row, sql};

/// Gives everything to `sink`, within the read transaction of the caller.
pub(super) async fn export<D: Dialect>(
    conn: &mut Conn<'_, D>,
    sink: &mut Sink<'_>,
) -> Result<(), MemoryError> {
    let failed = failed_to("read the memory");
    let folded: Vec<(String, i64)> = sql("SELECT run, seq FROM orch_folded ORDER BY run")
        .fetch_all(&mut *conn)
        .await
        .map_err(&failed)?;
    for (run, seq) in folded {
        let seq = orch_core::Seq(seq.cast_unsigned());
        sink(&Record::Folded { run: past::run_id(&run)?, seq })?;
    }
    export_sums(conn, sink).await?;
    export_past(conn, sink).await?;
    rulings::export(conn, sink).await
}

async fn export_sums<D: Dialect>(
    conn: &mut Conn<'_, D>,
    sink: &mut Sink<'_>,
) -> Result<(), MemoryError> {
    let failed = failed_to("read the memory");
    let workers: Vec<(String, String, String, String)> =
        sql("SELECT project, task_type, worker, stats FROM orch_worker_stats \
         ORDER BY project, task_type, worker")
        .fetch_all(&mut *conn)
        .await
        .map_err(&failed)?;
    for (project, task_type, worker, stats) in workers {
        let what = || format!("what is known of worker `{worker}` at `{task_type}`");
        let stats = Box::new(rows::decode(&stats, what)?);
        let (project, worker) = (project.into(), worker.into());
        sink(&Record::Worker { project, task_type, worker, stats })?;
    }
    let tasks: Vec<(String, String, String)> =
        sql("SELECT project, task_type, stats FROM orch_task_stats ORDER BY project, task_type")
            .fetch_all(conn)
            .await
            .map_err(failed)?;
    for (project, task_type, stats) in tasks {
        let what = || format!("what is known of tasks of type `{task_type}`");
        let stats = Box::new(rows::decode(&stats, what)?);
        sink(&Record::Task { project: project.into(), task_type, stats })?;
    }
    Ok(())
}

row! { struct StoredExample {
    run: String,
    step: String,
    project: String,
    agent: String,
    task_type: String,
    ended_at: i64,
    success: i64,
    text: String,
    body: String,
    grades: String,
} }

/// How many examples are read at a time.
const PAGE: i64 = 1_000;

async fn export_past<D: Dialect>(
    conn: &mut Conn<'_, D>,
    sink: &mut Sink<'_>,
) -> Result<(), MemoryError> {
    let mut last = (String::new(), String::new());
    loop {
        let page: Vec<StoredExample> = sql(
            "SELECT run, step, project, agent, task_type, ended_at, success, text, body, grades \
             FROM orch_past WHERE (run, step) > ($1, $2) ORDER BY run, step LIMIT $3",
        )
        .bind(&last.0)
        .bind(&last.1)
        .bind(PAGE)
        .fetch_all(&mut *conn)
        .await
        .map_err(failed_to("read the memory"))?;
        let Some(end) = page.last() else { return Ok(()) };
        // A run has a row of its own under an empty step, which comes before its subtasks.
        last = (end.run.clone(), end.step.clone());
        for row in page {
            sink(&Record::Past(Box::new(example(row)?)))?;
        }
    }
}

fn example(row: StoredExample) -> Result<Example, MemoryError> {
    let what = || format!("the outcome of run {}", row.run);
    let is_run = row.step.is_empty();
    Ok(Example {
        run: past::run_id(&row.run)?,
        past: is_run.then(|| rows::decode(&row.body, what)).transpose()?,
        grades: is_run.then(|| rows::decode(&row.grades, what)).transpose()?,
        step: row.step,
        project: row.project.into(),
        agent: row.agent,
        task_type: row.task_type,
        ended_at: row.ended_at,
        success: row.success != 0,
        text: row.text,
    })
}
