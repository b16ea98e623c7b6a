//! Handing out work: what is offered is claimed for the caller, with a prompt, as far as the answer has room.

use std::sync::Arc;

use jiff::Timestamp;
use orch_core::{
    Fence, RequestKey, RunId, RunPhase, RunStatus, SubtaskId, SubtaskPhase, SubtaskStatus, Token,
    WorkerName,
};
use orch_supervisor::{Claimed, Refusal, SupervisorError};
use serde::Serialize;

use crate::answer::size;
use crate::desk::Desk;
use crate::error::ToolError;
use crate::handle;
use crate::prompt::{inputs, prompt};
use crate::view::View;

/// How many subtasks a worker that no file describes may hold at once.
const SLOTS: u32 = 64;

/// A subtask that was handed out.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct HandOut {
    pub(crate) subtask_id: SubtaskId,
    pub(crate) attempt: String,
    pub(crate) worker: WorkerName,
    pub(crate) prompt: String,
    pub(crate) result_file: String,
    pub(crate) lease_until: Timestamp,
}

/// What is to be handed out.
#[derive(Debug, Default)]
pub(crate) struct Wanted<'a> {
    /// One subtask by name.
    pub(crate) subtask: Option<&'a SubtaskId>,
    /// Only what is offered to this worker, or was lost by it.
    pub(crate) worker: Option<&'a WorkerName>,
    /// At most so many.
    pub(crate) most: usize,
    /// The most that the worker may hold at once; what its file says when absent.
    pub(crate) slots: Option<u32>,
    pub(crate) request_key: Option<RequestKey>,
}

/// Hands out subtasks that fit into `room` bytes. Also returns how many could be handed out beyond those.
pub(crate) async fn hand_out(
    desk: &Desk,
    status: &RunStatus,
    wanted: Wanted<'_>,
    mut room: usize,
) -> Result<(Vec<HandOut>, usize), ToolError> {
    let run = status.run_id;
    let mut given = Vec::new();
    let mut left = candidates(desk, status, &wanted);
    if left.is_empty() || !may_start(status) {
        return Ok((given, 0));
    }
    let view = desk.view(run).await?;
    left.reverse();
    while let Some(candidate) = left.pop() {
        let expected = candidate.1.open.last().map_or(Fence(0), |open| open.fence);
        let worker = wanted.worker.cloned().unwrap_or_else(|| worker_of(candidate.1));
        let made =
            make(desk, run, &view, candidate.0, (expected, Token(0)), &worker, Timestamp::MAX);
        let made = made.await?;
        // The first goes out in any case: a prompt and what belongs to it always fit.
        if given.len() >= wanted.most || (size(&made) > room && !given.is_empty()) {
            left.push(candidate);
            break;
        }
        match claim(desk, run, candidate.1, &worker, &wanted).await? {
            Claim::Given(claimed) => {
                let attempt = (claimed.fence, claimed.token);
                let index = claimed.subtask.get();
                let made =
                    make(desk, run, &view, index, attempt, &worker, claimed.lease_until).await?;
                room = room.saturating_sub(size(&made));
                given.push(made);
            }
            Claim::Gone => {}
            Claim::Full => break,
        }
    }
    Ok((given, left.len()))
}

fn may_start(status: &RunStatus) -> bool {
    match status.status {
        RunPhase::Active => true,
        RunPhase::Submitted
        | RunPhase::Planning
        | RunPhase::Suspended
        | RunPhase::Cancelling
        | RunPhase::Aggregating
        | RunPhase::Ended => false,
    }
}

/// What is offered, then what somebody holds whose lease is over; by index.
fn candidates<'a>(
    desk: &Desk,
    status: &'a RunStatus,
    wanted: &Wanted<'_>,
) -> Vec<(usize, &'a SubtaskStatus)> {
    let now = (desk.now)();
    let all = status.subtasks.iter().enumerate().filter(|(_, subtask)| {
        wanted.subtask.is_none_or(|id| *id == subtask.subtask_id)
            && wanted.worker.is_none_or(|worker| {
                wanted.subtask.is_some() || subtask.open.iter().any(|open| open.worker == *worker)
            })
    });
    let (mut offered, mut lapsed) = (Vec::new(), Vec::new());
    for (index, subtask) in all {
        match subtask.status {
            SubtaskPhase::Offered => offered.push((index, subtask)),
            SubtaskPhase::Running if subtask.open.iter().all(|open| open.until < now) => {
                lapsed.push((index, subtask));
            }
            SubtaskPhase::Running
            | SubtaskPhase::Waiting
            | SubtaskPhase::Ready
            | SubtaskPhase::Checking
            | SubtaskPhase::Backoff
            | SubtaskPhase::Done
            | SubtaskPhase::Failed
            | SubtaskPhase::Skipped
            | SubtaskPhase::Cancelled
            | SubtaskPhase::Retired => {}
        }
    }
    offered.append(&mut lapsed);
    offered
}

fn worker_of(subtask: &SubtaskStatus) -> WorkerName {
    subtask.open.last().map_or_else(|| WorkerName::new(""), |open| open.worker.clone())
}

enum Claim {
    Given(Claimed),
    /// Somebody else was faster.
    Gone,
    /// Nothing more can be claimed now.
    Full,
}

async fn claim(
    desk: &Desk,
    run: RunId,
    subtask: &SubtaskStatus,
    worker: &WorkerName,
    wanted: &Wanted<'_>,
) -> Result<Claim, ToolError> {
    let own = || desk.worker(worker).map_or(SLOTS, |worker| worker.max_concurrency().get());
    let slots = wanted.slots.unwrap_or_else(own);
    let claimed = desk
        .retried(|| {
            let id = Some(subtask.subtask_id.clone());
            let key = wanted.request_key.clone();
            desk.supervisor.claim(run, worker.clone(), id, slots, key)
        })
        .await;
    let refusal = match claimed {
        Ok(Some(claimed)) => return Ok(Claim::Given(claimed)),
        Ok(None) => return Ok(Claim::Gone),
        Err(SupervisorError::Refused(refusal)) => refusal,
        Err(error) => return Err(error.into()),
    };
    // Whoever asks for one subtask wants to know why not; others get what else there is.
    if wanted.subtask.is_some() {
        let subtask = subtask.subtask_id.clone();
        return Err(ToolError::NotClaimable { subtask, why: refusal.to_string() });
    }
    match refusal {
        Refusal::NotReady { .. } | Refusal::NoSlot { .. } => Ok(Claim::Gone),
        Refusal::Blocked { .. } | Refusal::NotActive { .. } | Refusal::Ended { .. } => {
            Ok(Claim::Full)
        }
        Refusal::NoRun { .. }
        | Refusal::NoSubtask { .. }
        | Refusal::WhichAttempt { .. }
        | Refusal::NotOpen { .. }
        | Refusal::NotAdmitted { .. }
        | Refusal::NotAsked { .. }
        | Refusal::Unreadable { .. }
        | Refusal::Plan(_)
        | Refusal::Retry
        | Refusal::Owned { .. }
        | Refusal::ShuttingDown
        | _ => Err(SupervisorError::Refused(refusal).into()),
    }
}

/// Makes what is handed out for an attempt.
pub(crate) async fn make(
    desk: &Desk,
    run: RunId,
    view: &Arc<View>,
    index: usize,
    (fence, token): (Fence, Token),
    worker: &WorkerName,
    lease_until: Timestamp,
) -> Result<HandOut, ToolError> {
    let inputs = inputs(&desk.files, desk.journal(), run, view, index).await?;
    let limit = desk.worker(worker).and_then(|worker| worker.timeout());
    let prompt = prompt(&desk.files, run, view, (index, fence), &inputs, limit)?;
    Ok(HandOut {
        subtask_id: view.nodes[index].spec.id.clone(),
        attempt: handle::write(fence, token),
        worker: worker.clone(),
        prompt: prompt.text,
        result_file: prompt.result_file,
        lease_until,
    })
}
