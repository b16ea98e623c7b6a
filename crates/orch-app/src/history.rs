//! What happened to one subtask, read from the journal: every attempt, who made it and why, and how it ended.

use std::sync::Arc;

use jiff::Timestamp;
use orch_core::journal::{Journal, JournalError, Recorded};
use orch_core::{
    AttemptEnd, AttemptView, Fence, JsonMap, RoutingNote, RunView, Subtask, WorkerName,
    WorkerResult,
};
use serde::Serialize;

/// What happened to a subtask.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct SubtaskHistory {
    /// The subtask, as the plan has it.
    pub subtask: Arc<Subtask>,
    /// The accepted result, large outputs included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<WorkerResult>,
    /// The attempts, in the order in which they began.
    pub attempts: Vec<AttemptRecord>,
}

/// One attempt.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct AttemptRecord {
    /// Its number in the run.
    pub fence: Fence,
    /// Who made it.
    pub worker: WorkerName,
    /// When it began, or was offered.
    pub since: Timestamp,
    /// Why this worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<RoutingNote>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How it ended; `None` while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<AttemptEnd>,
    /// What it had written when it was stopped without failing: as the evidence of a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<JsonMap>,
}

/// Returns the history of the subtask with the id `id` from the events of a run, all of them; `None` when there is no such
/// subtask.
///
/// # Errors
/// When the journal cannot load a large output.
pub async fn history(
    journal: &dyn Journal,
    events: &[Recorded],
    id: &str,
) -> Result<Option<SubtaskHistory>, JournalError> {
    let mut view = RunView::default();
    events.iter().for_each(|recorded| view.apply(recorded));
    let Some((_, subtask)) = view.find(id) else { return Ok(None) };
    let mut history = SubtaskHistory {
        subtask: subtask.spec.clone(),
        result: None,
        attempts: subtask.attempts.iter().map(|(fence, attempt)| record(*fence, attempt)).collect(),
    };
    if let Some(stored) = subtask.accepted() {
        let mut result = (*stored.result).clone();
        if let Some(name) = stored.blob {
            let bytes = journal.blob(name).await?;
            result.output =
                serde_json::from_slice(&bytes).map_err(|error| JournalError::Corrupt {
                    what: format!("blob {}", name.hash),
                    reason: error.to_string(),
                })?;
        }
        history.result = Some(result);
    }
    Ok(Some(history))
}

fn record(fence: Fence, attempt: &AttemptView) -> AttemptRecord {
    let stopped_with = attempt.stopped_with.as_ref();
    AttemptRecord {
        fence,
        worker: attempt.worker.clone(),
        since: attempt.since,
        route: attempt.route.as_deref().cloned(),
        until: attempt.end.as_ref().map(|(at, _)| *at),
        end: attempt.end.as_ref().map(|(_, end)| end.clone()),
        evidence: stopped_with.and_then(|stored| stored.result.evidence().ok().flatten()),
    }
}
