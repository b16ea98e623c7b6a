//! What is said about a run after its end.

use orch_core::learned::{Day, History, PastRun};
use orch_core::{ProjectId, RunId};

use super::stats::Sums;
use super::{rows, stats};
use crate::MemoryError;
use crate::learned::{Cell, Grades, Regrade};
use crate::memory_error::failed_to;
use crate::sql::{Conn, Dialect, sql};

/// Grades a run and changes the sums accordingly, within the transaction of the caller.
pub(super) async fn grade<D: Dialect>(
    conn: &mut Conn<'_, D>,
    run: RunId,
    score: f64,
    note: &str,
) -> Result<bool, MemoryError> {
    let Some((mut past, mut grades)) = load(conn, run).await? else { return Ok(false) };
    let project: ProjectId = past.outcome.project_id.clone();
    let mut counted = Vec::new();
    for accepted in grades.accepted {
        let (task_type, worker, day, _) = &accepted;
        let cell = Cell { task_type: task_type.clone(), worker: worker.clone() };
        let stats = stats::worker(conn, &project, &cell).await?;
        // What is not in the sums has no reward to be changed.
        if stats.is_some_and(|stats| has(&stats.history, *day)) {
            counted.push(accepted);
        }
    }
    grades.accepted = counted;
    let regrade = Regrade::of(&past, &grades, score);
    let mut sums = Sums::default();
    sums.gather(project, past.outcome.task_type.clone(), regrade.workers, regrade.task);
    sums.write(conn).await?;
    Regrade::note(&mut past, score, note);
    store(conn, run, &past).await?;
    Ok(true)
}

/// Tells whether something of `day` is in the sums.
fn has(history: &History, day: Day) -> bool {
    history
        .blocks()
        .any(|(first, days, sums)| (first.0..first.0 + days).contains(&day.0) && sums.count() > 0)
}

/// Returns a past run, with what feedback has to change.
pub(super) async fn load<D: Dialect>(
    conn: &mut Conn<'_, D>,
    run: RunId,
) -> Result<Option<(PastRun, Grades)>, MemoryError> {
    let row: Option<(String, String)> =
        sql("SELECT body, grades FROM orch_past WHERE run = $1 AND step = ''")
            .bind(run.to_string())
            .fetch_optional(conn)
            .await
            .map_err(failed_to("read a past run"))?;
    let Some((body, grades)) = row else { return Ok(None) };
    let what = || format!("the outcome of run {run}");
    Ok(Some((rows::decode(&body, what)?, rows::decode(&grades, what)?)))
}

async fn store<D: Dialect>(
    conn: &mut Conn<'_, D>,
    run: RunId,
    past: &PastRun,
) -> Result<(), MemoryError> {
    sql("UPDATE orch_past SET body = $1 WHERE run = $2 AND step = ''")
        .bind(rows::encode(past)?)
        .bind(run.to_string())
        .execute(conn)
        .await
        .map_err(failed_to("write a past run"))?;
    Ok(())
}
