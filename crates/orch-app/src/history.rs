//! What happened to one subtask, read from the journal: every attempt, who made it and why, and how it ended.

use std::sync::Arc;

use jiff::Timestamp;
use orch_core::journal::{Journal, JournalError, Recorded};
use orch_core::{
    AttemptClosedReason, Event, EvidenceKind, Failure, Fence, JsonMap, LossCause, RouteNote,
    StoredResult, Subtask, SubtaskIndex, WorkerName, WorkerResult,
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
    pub route: Option<RouteNote>,
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

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptEnd {
    /// Its result was accepted.
    Accepted,
    /// It failed.
    Failed(Failure),
    /// It is dead through no fault of its own.
    Lost(LossCause),
    /// It was no longer wanted.
    Closed(AttemptClosedReason),
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
    let Some((index, subtask)) = find(events, id) else { return Ok(None) };
    let mut history = SubtaskHistory { subtask, result: None, attempts: Vec::new() };
    let mut received: Vec<(Fence, &StoredResult)> = Vec::new();
    for recorded in events {
        if let Event::ResultReceived { subtask, fence, result, .. } = &recorded.event
            && *subtask == index
        {
            received.push((*fence, &**result));
        }
        history.apply(recorded, index);
    }
    let accepted =
        history.attempts.iter().find(|attempt| attempt.end == Some(AttemptEnd::Accepted));
    let stored =
        accepted.and_then(|attempt| received.iter().find(|(fence, _)| *fence == attempt.fence));
    if let Some((_, stored)) = stored {
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

/// Subtasks have their indexes in the order in which plans added them.
fn find(events: &[Recorded], id: &str) -> Option<(SubtaskIndex, Arc<Subtask>)> {
    let added = events.iter().filter_map(|recorded| {
        let Event::PlanAdopted { add, .. } = &recorded.event else { return None };
        Some(add.subtasks.iter().cloned())
    });
    (0..).map(SubtaskIndex).zip(added.flatten()).find(|(_, subtask)| subtask.id == *id)
}

impl SubtaskHistory {
    fn apply(&mut self, recorded: &Recorded, index: SubtaskIndex) {
        let (subtask, fence, end) = match &recorded.event {
            Event::AttemptOffered { subtask, fence, worker, route, .. }
            | Event::AttemptStarted { subtask, fence, worker, route, .. } => {
                if *subtask == index {
                    self.began(recorded.at, *fence, worker, route.as_deref());
                }
                return;
            }
            Event::SubtaskCompleted { subtask, fence } => (subtask, fence, AttemptEnd::Accepted),
            Event::AttemptFailed { subtask, fence, failure, .. } => {
                (subtask, fence, AttemptEnd::Failed((**failure).clone()))
            }
            Event::AttemptLost { subtask, fence, cause } => {
                (subtask, fence, AttemptEnd::Lost(*cause))
            }
            Event::AttemptClosed { subtask, fence, reason } => {
                (subtask, fence, AttemptEnd::Closed(*reason))
            }
            Event::UsageNoted { fence, evidence: Some(kept), .. } => {
                if kept.subtask == index && kept.kind == EvidenceKind::Stopped {
                    self.stopped(*fence, kept.result.result.evidence().ok().flatten());
                }
                return;
            }
            Event::RunSubmitted { .. }
            | Event::PlanAdopted { .. }
            | Event::LeaseExtended { .. }
            | Event::ResultReceived { .. }
            | Event::RetryScheduled { .. }
            | Event::SubtaskFailed { .. }
            | Event::SubtaskSkipped { .. }
            | Event::InterventionMade { .. }
            | Event::InterventionJudged { .. }
            | Event::ConcurrencyLimitChanged { .. }
            | Event::UsageNoted { evidence: None, .. }
            | Event::RunSuspended { .. }
            | Event::RunResumed { .. }
            | Event::CancelRequested { .. }
            | Event::RunEnded { .. } => return,
        };
        if *subtask == index {
            self.ended(recorded.at, *fence, end);
        }
    }

    /// A claim of an offer is the same attempt.
    fn began(
        &mut self,
        at: Timestamp,
        fence: Fence,
        worker: &WorkerName,
        route: Option<&RouteNote>,
    ) {
        match self.attempts.iter_mut().find(|attempt| attempt.fence == fence) {
            Some(attempt) => {
                attempt.since = at;
                attempt.worker = worker.clone();
            }
            None => self.attempts.push(AttemptRecord {
                fence,
                worker: worker.clone(),
                since: at,
                route: route.cloned(),
                until: None,
                end: None,
                evidence: None,
            }),
        }
    }

    fn stopped(&mut self, fence: Fence, evidence: Option<JsonMap>) {
        if let Some(attempt) = self.attempts.iter_mut().find(|attempt| attempt.fence == fence) {
            attempt.evidence = evidence;
        }
    }

    fn ended(&mut self, at: Timestamp, fence: Fence, end: AttemptEnd) {
        if let Some(attempt) = self.attempts.iter_mut().find(|attempt| attempt.fence == fence) {
            (attempt.until, attempt.end) = (Some(at), Some(end));
        }
    }
}
