//! The tasks extension (`io.modelcontextprotocol/tasks`): a managed run is a task whose id is the run's, so it is in the store
//! like the run and outlives any server.
//!
//! Runs with work for the client's agents are no tasks: the answer with the prompts is what their client needs.

use orch_core::journal::RunRow;
use orch_core::{EndStatus, RunPhase};
use rmcp::ErrorData;
use rmcp::model::{CallToolResult, DetailedTask, JsonObject, Task, TaskPayload, TaskStatus};
use serde_json::Value;

use crate::answer::Answer;
use crate::desk::Desk;
use crate::error::ToolError;
use crate::mode::Mode;
use crate::tools::{finish, progress};
use crate::wait::message;

/// How often a client had best ask, in milliseconds.
const POLL_MS: u64 = 1_000;

/// Makes the task of a run, as it is when it is handed to the client.
pub(crate) fn task(row: &RunRow) -> Task {
    let (created, updated) = (row.head.created_at.to_string(), row.updated_at.to_string());
    // Without a time to live: runs stay in the store.
    Task::new(row.head.run.to_string(), TaskStatus::Working, created, updated)
        .with_poll_interval_ms(POLL_MS)
        .with_status_message(message(&row.summary))
}

/// Returns how a task stands. The caller wants it done: a run that was suspended, or whose server was killed, goes on.
pub(crate) async fn get(desk: &Desk, id: &str) -> Result<DetailedTask, ErrorData> {
    let row = find(desk, id).await?;
    desk.resume(&row).await.map_err(failed)?;
    let row = desk.row(row.head.run).await.map_err(failed)?;
    let payload = match (row.summary.phase, row.summary.end) {
        (RunPhase::Ended, Some(EndStatus::Cancelled)) => TaskPayload::Cancelled,
        (RunPhase::Ended, _) => TaskPayload::Completed { result: result(desk, &row).await? },
        (
            RunPhase::Submitted
            | RunPhase::Planning
            | RunPhase::Active
            | RunPhase::Suspended
            | RunPhase::Cancelling
            | RunPhase::Aggregating,
            _,
        ) => TaskPayload::Working,
    };
    Ok(DetailedTask::new(task(&row), payload))
}

/// Cancels the run of a task; one that is over stays as it is.
pub(crate) async fn cancel(desk: &Desk, id: &str) -> Result<(), ErrorData> {
    let run = find(desk, id).await?.head.run;
    let cancelled = desk.retried(|| desk.supervisor.cancel(run)).await;
    cancelled.map(|_| ()).map_err(|error| failed(error.into()))
}

/// Finds the run of a task.
pub(crate) async fn find(desk: &Desk, id: &str) -> Result<RunRow, ErrorData> {
    let row = desk.find(id).await.map_err(failed)?;
    if desk.mode(row.head.run).await.map_err(failed)? == Mode::Managed {
        return Ok(row);
    }
    let message =
        format!("Orchestration {} is not a task; call alma_orchestration_status.", row.head.run);
    Err(ErrorData::invalid_params(message, None))
}

/// What the tool would have answered if it had waited for the end.
async fn result(desk: &Desk, row: &RunRow) -> Result<JsonObject, ErrorData> {
    let status =
        desk.supervisor.status(row.head.run).await.map_err(|error| failed(error.into()))?;
    let is_failed = status.end_status == Some(EndStatus::Failed);
    let mut answer = Answer::new(!is_failed);
    answer.set("orchestration_id", row.head.run);
    progress(&mut answer, &status);
    finish(desk, &mut answer, &status).await.map_err(failed)?;
    let answer = Value::Object(answer.into_map());
    let result = if is_failed {
        CallToolResult::structured_error(answer)
    } else {
        CallToolResult::structured(answer)
    };
    match serde_json::to_value(result) {
        Ok(Value::Object(result)) => Ok(result),
        Ok(_) | Err(_) => Err(ErrorData::internal_error("the result has no JSON form", None)),
    }
}

fn failed(error: ToolError) -> ErrorData {
    let message = error.to_string();
    match error {
        ToolError::NoRun(_)
        | ToolError::RunLost { .. }
        | ToolError::NotOurs(_)
        | ToolError::Arguments(_) => ErrorData::invalid_params(message, None),
        ToolError::Engine(_)
        | ToolError::Store(_)
        | ToolError::StoreLost(_)
        | ToolError::File(_)
        | ToolError::NoPlan { .. }
        | ToolError::NoSubtask { .. }
        | ToolError::NoManagedWorkers
        | ToolError::KeyReused { .. }
        | ToolError::Withheld(_)
        | ToolError::NotClaimable { .. } => ErrorData::internal_error(message, None),
    }
}
