//! What ALMA is told of a run that is over: how each attempt that says something about its worker ended, and how the run did.

use jiff::Timestamp;
use orch_core::journal::Recorded;
use orch_core::{
    About, AttemptChange, AttemptEnd, AttemptView, CancelReason, ComplexTask, Digest, EndStatus,
    Event, Fence, RunId, RunView, Scopes, Subtask, SubtaskIndex, WorkerName,
};
use serde_json::{Value, json};

use crate::learned::counts_against_worker;

/// The most attempts of a run that ALMA is told of, the first ones, and the most characters of a text and of a remark in it.
const MOST: usize = 200;
const TEXT: usize = 2_000;
const REMARK: usize = 300;

/// A run that is over, in ALMA's terms.
#[derive(Debug, PartialEq)]
pub(crate) struct Told {
    pub(super) outcomes: Vec<Outcome>,
    /// `None` when the supervisor may not learn about such tasks.
    pub(super) workflow: Option<Workflow>,
}

/// A row of `outcomes`.
///
/// `error_message` stays empty, and the type has a prefix. ALMA counts the errors of an agent to make an anti-pattern of two that
/// are alike, which then keeps it from learning anything that resembles it; and it makes a rule when of the newest four outcomes
/// of an agent and a type three had the same strategy. Neither must happen, or fail to happen, because of what orch wrote.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) id: String,
    pub(super) agent: WorkerName,
    pub(super) task_type: String,
    pub(super) task_description: String,
    pub(super) success: bool,
    pub(super) strategy_used: String,
    pub(super) duration_ms: u64,
    pub(super) at: Timestamp,
    pub(super) metadata: Value,
}

/// What the types of outcomes that orch writes begin with.
pub(super) const PREFIX: &str = "orch:";

impl Outcome {
    /// The text whose vector it is found by, as ALMA puts it together.
    pub(super) fn embedded(&self) -> String {
        format!("{} {}", self.task_description, self.strategy_used)
    }
}

/// A row of `workflow_outcomes`.
#[derive(Debug, PartialEq)]
pub(super) struct Workflow {
    pub(super) run: RunId,
    pub(super) workflow_id: String,
    pub(super) agent: String,
    pub(super) result: &'static str,
    pub(super) summary: String,
    pub(super) duration_seconds: f64,
    pub(super) node_count: u32,
    pub(super) error_message: Option<String>,
    pub(super) at: Timestamp,
    pub(super) metadata: Value,
}

/// Returns what `events`, a whole run, say; `None` when it is not over. What a scope forbids to learn is left out.
pub(crate) fn told(run: RunId, events: &[Recorded], scopes: &Scopes) -> Option<Told> {
    let Event::RunSubmitted { task, .. } = &events.first()?.event else { return None };
    let last = events.last()?;
    let Event::RunEnded { status, errors, .. } = &last.event else { return None };
    let mut view = RunView::default();
    events.iter().for_each(|recorded| view.apply(recorded));
    let supervisor = scopes.supervisor();
    let is_late = view.cancel_reason == Some(CancelReason::Deadline);
    let workflow = supervisor.may_learn(&task.task_type).is_ok().then(|| Workflow {
        run,
        workflow_id: task.task_type.clone(),
        agent: supervisor.agent_name.clone(),
        result: result(*status, is_late),
        summary: summary(task, &view),
        duration_seconds: millis(events[0].at, last.at) as f64 / 1e3,
        node_count: view.counts().total,
        error_message: (!errors.is_empty()).then(|| clip(&errors.join("; "), TEXT)),
        at: last.at,
        metadata: json!({ "orchestration": { "run_id": run, "status": status } }),
    });
    let outcomes = events.iter().filter_map(|recorded| {
        let (subtask, fence) = judged(&recorded.event)?;
        let subtask = view.subtasks.get(subtask.get())?;
        let outcome = outcome(run, task, &subtask.spec, fence, subtask.attempts.get(&fence)?)?;
        Some((&subtask.spec.task_type, outcome))
    });
    let mut outcomes: Vec<_> = outcomes.take(MOST).collect();
    outcomes.retain(|(task_type, outcome)| {
        scopes.of(outcome.agent.as_str()).may_learn(task_type).is_ok()
    });
    Some(Told { outcomes: outcomes.into_iter().map(|(_, outcome)| outcome).collect(), workflow })
}

/// Returns the attempt that was accepted or failed in this event.
fn judged(event: &Event) -> Option<(SubtaskIndex, Fence)> {
    let About::Attempt { subtask, fence, change } = event.about() else { return None };
    match change {
        AttemptChange::Accepted | AttemptChange::Failed => Some((subtask, fence)),
        AttemptChange::Offered
        | AttemptChange::Started
        | AttemptChange::Received
        | AttemptChange::Lost
        | AttemptChange::Closed => None,
    }
}

/// Returns how an attempt ended; `None` when that says nothing about its worker.
fn outcome(
    run: RunId,
    task: &ComplexTask,
    subtask: &Subtask,
    fence: Fence,
    attempt: &AttemptView,
) -> Option<Outcome> {
    let (at, end) = attempt.end.as_ref()?;
    let failure = match end {
        AttemptEnd::Accepted => None,
        AttemptEnd::Failed(failure) if counts_against_worker(failure.cause) => Some(failure),
        AttemptEnd::Failed(_) | AttemptEnd::Lost(_) | AttemptEnd::Closed(_) => return None,
    };
    let hash = Digest::of_bytes(format!("{run}/{}", fence.0).as_bytes()).to_string();
    let mut note = json!({
        "run_id": run,
        "subtask_id": subtask.id,
        "attempt": fence,
        "task_type": subtask.task_type,
    });
    if let Some(failure) = failure {
        note["cause"] = json!(failure.cause);
        note["error"] = json!(clip(&failure.message, REMARK));
    }
    let stated_ms = attempt.result.as_ref().map(|stored| stored.result.duration_ms);
    Some(Outcome {
        id: format!("out_{}", &hash[..12]),
        agent: attempt.worker.clone(),
        task_type: format!("{PREFIX}{}", subtask.task_type),
        task_description: clip(&subtask.description, TEXT),
        success: failure.is_none(),
        strategy_used: format!("as a part of: {}", clip(&task.description, REMARK)),
        duration_ms: stated_ms.unwrap_or_else(|| millis(attempt.since, *at)),
        at: *at,
        metadata: json!({ "orchestration": note }),
    })
}

fn summary(task: &ComplexTask, view: &RunView) -> String {
    let done = view.subtasks.iter().filter(|subtask| subtask.accepted().is_some()).count();
    let task = clip(&task.description, TEXT);
    format!("{task}: {done} of {} subtasks done", view.counts().total)
}

/// ALMA's word for how a run ended.
fn result(status: EndStatus, is_late: bool) -> &'static str {
    match status {
        EndStatus::Completed => "success",
        EndStatus::Partial => "partial",
        EndStatus::Failed | EndStatus::Cancelled if is_late => "timeout",
        EndStatus::Failed => "failure",
        EndStatus::Cancelled => "cancelled",
    }
}

fn clip(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

fn millis(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}
