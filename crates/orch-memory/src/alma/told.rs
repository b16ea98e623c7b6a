//! What ALMA is told of a run that is over: how each attempt that says something about its worker ended, and how the run did.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use orch_core::journal::Recorded;
use orch_core::{
    CancelReason, ComplexTask, Digest, EndStatus, Event, Failure, Fence, RunId, Scopes, Subtask,
    SubtaskIndex, WorkerName,
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
    let mut walk = Walk::new(run, task);
    for recorded in events {
        walk.step(recorded);
    }
    let supervisor = scopes.supervisor();
    let workflow = supervisor.may_learn(&task.task_type).is_ok().then(|| Workflow {
        run,
        workflow_id: task.task_type.clone(),
        agent: supervisor.agent_name.clone(),
        result: result(*status, walk.is_late),
        summary: walk.summary(),
        duration_seconds: millis(events[0].at, last.at) as f64 / 1e3,
        node_count: walk.node_count(),
        error_message: (!errors.is_empty()).then(|| clip(&errors.join("; "), TEXT)),
        at: last.at,
        metadata: json!({ "orchestration": { "run_id": run, "status": status } }),
    });
    let mut outcomes = walk.outcomes;
    outcomes.retain(|(task_type, outcome)| {
        scopes.of(outcome.agent.as_str()).may_learn(task_type).is_ok()
    });
    Some(Told { outcomes: outcomes.into_iter().map(|(_, outcome)| outcome).collect(), workflow })
}

struct Walk<'a> {
    run: RunId,
    task: &'a ComplexTask,
    subtasks: Vec<&'a Subtask>,
    retired: BTreeSet<usize>,
    attempts: BTreeMap<Fence, Attempt<'a>>,
    done: u32,
    is_late: bool,
    /// Each with the type of its subtask.
    outcomes: Vec<(&'a str, Outcome)>,
}

struct Attempt<'a> {
    worker: &'a WorkerName,
    since: Timestamp,
    /// What the worker says.
    duration_ms: Option<u64>,
}

impl<'a> Walk<'a> {
    fn new(run: RunId, task: &'a ComplexTask) -> Self {
        Self {
            run,
            task,
            subtasks: Vec::new(),
            retired: BTreeSet::new(),
            attempts: BTreeMap::new(),
            done: 0,
            is_late: false,
            outcomes: Vec::new(),
        }
    }

    fn step(&mut self, recorded: &'a Recorded) {
        let at = recorded.at;
        match &recorded.event {
            Event::PlanAdopted { retire, add, .. } => {
                self.retired.extend(retire.iter().map(|index| index.get()));
                self.subtasks.extend(add.subtasks.iter().map(|subtask| &**subtask));
            }
            Event::AttemptOffered { fence, worker, .. }
            | Event::AttemptStarted { fence, worker, .. } => {
                self.attempts.insert(*fence, Attempt { worker, since: at, duration_ms: None });
            }
            Event::ResultReceived { fence, result, .. } => {
                if let Some(attempt) = self.attempts.get_mut(fence) {
                    attempt.duration_ms = Some(result.result.duration_ms);
                }
            }
            Event::SubtaskCompleted { subtask, fence } => {
                self.done += 1;
                self.outcome(*subtask, *fence, None, at);
            }
            Event::AttemptFailed { subtask, fence, failure, .. } => {
                if counts_against_worker(failure.cause) {
                    self.outcome(*subtask, *fence, Some(failure), at);
                }
            }
            Event::CancelRequested { reason, .. } => {
                self.is_late |= *reason == CancelReason::Deadline;
            }
            Event::RunSubmitted { .. }
            | Event::LeaseExtended { .. }
            | Event::AttemptLost { .. }
            | Event::AttemptClosed { .. }
            | Event::RetryScheduled { .. }
            | Event::SubtaskFailed { .. }
            | Event::SubtaskSkipped { .. }
            | Event::InterventionMade { .. }
            | Event::InterventionJudged { .. }
            | Event::ConcurrencyLimitChanged { .. }
            | Event::UsageNoted { .. }
            | Event::RunSuspended { .. }
            | Event::RunResumed { .. }
            | Event::RunEnded { .. } => {}
        }
    }

    fn outcome(
        &mut self,
        subtask: SubtaskIndex,
        fence: Fence,
        failure: Option<&Failure>,
        at: Timestamp,
    ) {
        let Some(subtask) = self.subtasks.get(subtask.get()) else { return };
        let Some(attempt) = self.attempts.get(&fence) else { return };
        if self.outcomes.len() == MOST {
            return;
        }
        let hash = Digest::of_bytes(format!("{}/{}", self.run, fence.0).as_bytes()).to_string();
        let mut note = json!({
            "run_id": self.run,
            "subtask_id": subtask.id,
            "attempt": fence,
            "task_type": subtask.task_type,
        });
        if let Some(failure) = failure {
            note["cause"] = json!(failure.cause);
            note["error"] = json!(clip(&failure.message, REMARK));
        }
        let outcome = Outcome {
            id: format!("out_{}", &hash[..12]),
            agent: attempt.worker.clone(),
            task_type: format!("{PREFIX}{}", subtask.task_type),
            task_description: clip(&subtask.description, TEXT),
            success: failure.is_none(),
            strategy_used: format!("as a part of: {}", clip(&self.task.description, REMARK)),
            duration_ms: attempt.duration_ms.unwrap_or_else(|| millis(attempt.since, at)),
            at,
            metadata: json!({ "orchestration": note }),
        };
        self.outcomes.push((&subtask.task_type, outcome));
    }

    fn node_count(&self) -> u32 {
        let wanted = self.subtasks.len().saturating_sub(self.retired.len());
        u32::try_from(wanted).unwrap_or(u32::MAX)
    }

    fn summary(&self) -> String {
        let task = clip(&self.task.description, TEXT);
        format!("{task}: {} of {} subtasks done", self.done, self.node_count())
    }
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
