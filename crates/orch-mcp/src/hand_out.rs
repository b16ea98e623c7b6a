//! Handing out work: what is offered is claimed for the caller, with a prompt, as far as the answer has room.

use std::collections::VecDeque;

use jiff::Timestamp;
use orch_core::{
    AttemptStatus, Fence, RequestKey, RunId, RunPhase, RunStatus, SubtaskId, SubtaskPhase,
    SubtaskStatus, Token, WorkerName,
};
use orch_supervisor::{Claimed, Refusal, SupervisorError, Want};
use serde::Serialize;

use crate::answer::size;
use crate::desk::Desk;
use crate::error::ToolError;
use crate::files::name_of;
use crate::handle;
use crate::prompt::{Told, in_file, inputs, prompt};
use orch_core::RunView;

/// How many subtasks a worker that no file describes may hold at once.
const SLOTS: u32 = 64;
/// How many digits the fence of a new attempt may have more than that of the last one: in the handle, and in the file's name.
const DIGITS: usize = 6;

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

/// A subtask that can be handed out, with its index.
type Candidate<'a> = (usize, &'a SubtaskStatus);

/// What would be handed out, were the attempt with this fence claimed.
struct Draft {
    made: HandOut,
    fence: Fence,
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
    let mut given: Vec<HandOut> = Vec::new();
    let mut left = candidates(desk, status, &wanted);
    if left.is_empty() || !may_start(status) {
        return Ok((given, 0));
    }
    let view = desk.view(run).await?;
    // Others may be faster; then it goes on with what is left.
    loop {
        let drafts = draft(desk, run, &view, &mut left, &wanted, given.len(), room).await?;
        if drafts.is_empty() {
            break;
        }
        let Some(claimed) = claim(desk, run, &drafts, &wanted).await? else { break };
        let is_answered = wanted.request_key.is_some() && !claimed.is_empty();
        for got in claimed {
            let first_room = if given.is_empty() { room } else { usize::MAX };
            let made = finished(desk, run, &view, &drafts, &got, first_room).await?;
            room = room.saturating_sub(size(&made));
            given.push(made);
        }
        // The same request would get the same again.
        if is_answered {
            break;
        }
    }
    Ok((given, left.len()))
}

/// Takes from the candidates what the caller wants and has room for, and makes it up to the secret of the attempt.
async fn draft(
    desk: &Desk,
    run: RunId,
    view: &RunView,
    left: &mut VecDeque<Candidate<'_>>,
    wanted: &Wanted<'_>,
    given: usize,
    mut room: usize,
) -> Result<Vec<Draft>, ToolError> {
    let mut drafts: Vec<Draft> = Vec::new();
    while given + drafts.len() < wanted.most
        && let Some((index, subtask)) = left.front()
    {
        let open = subtask.open.last();
        let fence = open.map_or(Fence(0), |open| open.fence);
        let worker = open.map_or_else(|| WorkerName::new(""), |open| open.worker.clone());
        let worker = wanted.worker.cloned().unwrap_or(worker);
        let is_first = given + drafts.len() == 0;
        let asked = Asked {
            index: *index,
            attempt: (fence, Token(0)),
            worker: &worker,
            lease_until: Timestamp::MAX,
            room: if is_first { room.saturating_sub(DIGITS) } else { usize::MAX },
        };
        let made = make(desk, run, view, asked).await?;
        let size = size(&made) + DIGITS;
        // What does not fit is left to be claimed: a claim has room for a prompt and all that belongs to it.
        if size > room {
            break;
        }
        room = room.saturating_sub(size);
        drafts.push(Draft { made, fence });
        left.pop_front();
    }
    Ok(drafts)
}

/// Makes what goes out of an attempt that was claimed: as drafted, unless it is another attempt.
async fn finished(
    desk: &Desk,
    run: RunId,
    view: &RunView,
    drafts: &[Draft],
    got: &Claimed,
    room: usize,
) -> Result<HandOut, ToolError> {
    let is_it = |draft: &&Draft| {
        (draft.fence, &draft.made.subtask_id) == (got.fence, &got.subtask.id)
            && draft.made.worker == got.worker
    };
    if let Some(draft) = drafts.iter().find(is_it) {
        let attempt = handle::write(got.fence, got.token);
        return Ok(HandOut { attempt, lease_until: got.lease_until, ..draft.made.clone() });
    }
    let id = got.subtask.id.as_str();
    let (index, _) = view.find(id).ok_or_else(|| ToolError::NoSubtask {
        run,
        id: id.to_owned(),
        hint: "the plan has changed meanwhile; make the same call again.".to_owned(),
    })?;
    let attempt = (got.fence, got.token);
    let lease_until = got.lease_until;
    make(desk, run, view, Asked { index, attempt, worker: &got.worker, lease_until, room }).await
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

/// Tells whether there is something that the client's agents can have now.
pub(crate) fn has_work(desk: &Desk, status: &RunStatus) -> bool {
    may_start(status) && !candidates(desk, status, &Wanted::default()).is_empty()
}

/// What is offered, then what somebody holds whose lease is over; by index.
fn candidates<'a>(
    desk: &Desk,
    status: &'a RunStatus,
    wanted: &Wanted<'_>,
) -> VecDeque<Candidate<'a>> {
    let now = (desk.now)();
    let lapsed_at = |open: &AttemptStatus| open.until < now && !desk.is_managed(&open.worker);
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
            SubtaskPhase::Running if subtask.open.iter().all(lapsed_at) => {
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
    offered.into()
}

/// Claims what was drafted; `None` when nothing more can be claimed now.
async fn claim(
    desk: &Desk,
    run: RunId,
    drafts: &[Draft],
    wanted: &Wanted<'_>,
) -> Result<Option<Vec<Claimed>>, ToolError> {
    let want = |draft: &Draft| {
        let worker = &draft.made.worker;
        let own = || desk.worker(worker).map_or(SLOTS, |worker| worker.max_concurrency().get());
        Want::new(worker.clone())
            .subtask(draft.made.subtask_id.clone())
            .slots(wanted.slots.unwrap_or_else(own))
    };
    let wants: Vec<Want> = drafts.iter().map(want).collect();
    let claimed = desk
        .retried(|| desk.supervisor.claim_all(run, wants.clone(), wanted.request_key.clone()))
        .await;
    let refusal = match claimed {
        Ok(claimed) => return Ok(Some(claimed)),
        Err(SupervisorError::Refused(refusal)) => refusal,
        Err(error) => return Err(error.into()),
    };
    // A caller that asks for one subtask is told why not; others get what else there is.
    if let Some(subtask) = wanted.subtask.cloned() {
        return Err(ToolError::NotClaimable { subtask, why: refusal.to_string() });
    }
    match refusal {
        Refusal::NotReady { .. } | Refusal::NoSlot { .. } => Ok(Some(Vec::new())),
        Refusal::Blocked { .. } | Refusal::NotActive { .. } | Refusal::Ended { .. } => Ok(None),
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

/// The attempt that something is to be handed out for.
pub(crate) struct Asked<'a> {
    /// The subtask.
    pub(crate) index: usize,
    pub(crate) attempt: (Fence, Token),
    pub(crate) worker: &'a WorkerName,
    pub(crate) lease_until: Timestamp,
    /// The bytes that there are for it: a prompt that takes more is a file, if that helps.
    pub(crate) room: usize,
}

/// Makes what is handed out for an attempt.
pub(crate) async fn make(
    desk: &Desk,
    run: RunId,
    view: &RunView,
    asked: Asked<'_>,
) -> Result<HandOut, ToolError> {
    let Asked { index, attempt: (fence, token), worker, lease_until, room } = asked;
    let spec = &view.subtasks[index].spec;
    let told = Told {
        inputs: inputs(&desk.files, desk.journal(), run, view, index).await?,
        time_limit: desk.worker(worker).and_then(|worker| worker.timeout()),
        remembered: desk.recall(worker, spec).await,
    };
    let prompt = prompt(&desk.files, run, view, (index, fence), &told)?;
    let mut made = HandOut {
        subtask_id: spec.id.clone(),
        attempt: handle::write(fence, token),
        worker: worker.clone(),
        prompt: prompt.text,
        result_file: prompt.result_file,
        lease_until,
    };
    if size(&made) > room {
        let name = name_of(index, spec.id.as_str());
        made.prompt =
            in_file(&desk.files, run, &format!("{name}.{fence}"), made.prompt, &made.result_file)?;
    }
    Ok(made)
}
