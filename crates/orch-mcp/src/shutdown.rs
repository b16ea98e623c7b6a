//! The end of a server and the beginning of the next: what its own workers are at may end, the rest of their runs is suspended,
//! and the next server says so. Runs of agents are just left.

use orch_core::journal::{RunFilter, RunRow};
use orch_core::{RunPhase, RunStatus};

use crate::answer::short;
use crate::desk::Desk;
use crate::error::ToolError;
use crate::wait::message;

/// The most open runs that are looked at.
const MAX_OPEN_RUNS: u32 = 1_000;
/// The most suspended runs that are named.
const MAX_NAMED_RUNS: usize = 10;
/// The most bytes of a task.
const MAX_TASK_BYTES: usize = 60;

/// Waits until nothing is done in this process for the runs that it carries out.
pub(crate) async fn at_rest(desk: &Desk) -> Result<(), ToolError> {
    for row in open_rows(desk).await? {
        let run = row.head.run;
        while desk.carries_out(run) {
            let status = desk.supervisor.status(run).await?;
            if !is_busy(desk, &status) {
                break;
            }
            desk.supervisor.changed(run, status.seq).await?;
        }
    }
    Ok(())
}

fn is_busy(desk: &Desk, status: &RunStatus) -> bool {
    match status.status {
        RunPhase::Submitted | RunPhase::Planning | RunPhase::Aggregating => true,
        RunPhase::Suspended | RunPhase::Ended => false,
        RunPhase::Active | RunPhase::Cancelling => {
            let mut open = status.subtasks.iter().flat_map(|subtask| &subtask.open);
            open.any(|attempt| desk.is_managed(&attempt.worker))
        }
    }
}

/// Suspends the runs for which this process may do something itself: nothing of them starts again until somebody asks.
pub(crate) async fn suspend(desk: &Desk) -> Result<(), ToolError> {
    for row in open_rows(desk).await? {
        let run = row.head.run;
        // Another process may have taken it over, and goes on.
        let is_own = row.owner.is_some_and(|owner| owner.process.pid == std::process::id());
        if is_own && desk.carries_out(run) {
            desk.retried(|| desk.supervisor.suspend(run, "the server was closed")).await?;
        }
    }
    Ok(())
}

/// Says in the log which runs wait to be resumed.
pub(crate) async fn announce(desk: &Desk) -> Result<(), ToolError> {
    let mut waiting = Vec::new();
    for row in open_rows(desk).await? {
        if desk.wants_resume(&row).await? {
            waiting.push(row);
        }
    }
    for row in waiting.iter().take(MAX_NAMED_RUNS) {
        let (run, task) = (row.head.run, short(&row.head.description, MAX_TASK_BYTES));
        tracing::warn!(
            "orchestration {run} is {} ({task}); alma_orchestration_status with its id and resume goes on with it",
            message(&row.summary)
        );
    }
    if let Some(more) = waiting.len().checked_sub(MAX_NAMED_RUNS).filter(|more| *more > 0) {
        tracing::warn!("{more} more are suspended; alma_orchestration_status lists them");
    }
    Ok(())
}

async fn open_rows(desk: &Desk) -> Result<Vec<RunRow>, ToolError> {
    let filter = RunFilter::new()
        .with_project(desk.settings.project.clone())
        .with_open(true)
        .with_limit(MAX_OPEN_RUNS);
    Ok(desk.journal().rows(&filter).await?)
}
