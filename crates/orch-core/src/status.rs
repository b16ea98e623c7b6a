//! How a run stands: one struct for library, command line and MCP.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::words::words;
use crate::{
    EndStatus, ExecutionStrategy, Fence, LockName, ProjectId, RunId, Seq, SubtaskId, TaskId, Usage,
    WorkerName,
};

words! {
    /// Where a subtask stands.
    pub enum SubtaskPhase as "subtask status" {
        /// Dependencies are missing.
        Waiting = "waiting",
        /// It could start.
        Ready = "ready",
        /// A pull worker may claim it.
        Offered = "offered",
        /// Somebody works on it.
        Running = "running",
        /// A result is being checked.
        Checking = "checking",
        /// It failed and will be tried again.
        Backoff = "backoff",
        /// A result was accepted.
        Done = "done",
        /// It failed for good.
        Failed = "failed",
        /// Something that it needs failed.
        Skipped = "skipped",
        /// The run ended before it was done.
        Cancelled = "cancelled",
        /// A revised plan does not want it any more.
        Retired = "retired",
    }
}

impl SubtaskPhase {
    /// Tells whether nothing will follow.
    pub fn is_final(self) -> bool {
        match self {
            Self::Done | Self::Failed | Self::Skipped | Self::Cancelled | Self::Retired => true,
            Self::Waiting
            | Self::Ready
            | Self::Offered
            | Self::Running
            | Self::Checking
            | Self::Backoff => false,
        }
    }
}

words! {
    /// Where a run stands.
    pub enum RunPhase as "run status" {
        /// It exists.
        Submitted = "submitted",
        /// A plan is being made.
        Planning = "planning",
        /// Subtasks run.
        Active = "active",
        /// It waits to be resumed.
        Suspended = "suspended",
        /// It is ending early.
        Cancelling = "cancelling",
        /// One output is being made.
        Aggregating = "aggregating",
        /// It is over.
        Ended = "ended",
    }
}

/// How many subtasks stand where. Retired subtasks are not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Counts {
    /// All.
    pub total: u32,
    /// Waiting for dependencies.
    pub waiting: u32,
    /// Ready, offered or backing off.
    pub ready: u32,
    /// Running or being checked.
    pub running: u32,
    /// Done.
    pub done: u32,
    /// Failed.
    pub failed: u32,
    /// Skipped.
    pub skipped: u32,
    /// Cancelled.
    pub cancelled: u32,
}

impl Counts {
    /// Returns the counter in which `phase` is counted; retired subtasks are in none.
    pub fn of(&mut self, phase: SubtaskPhase) -> Option<&mut u32> {
        Some(match phase {
            SubtaskPhase::Waiting => &mut self.waiting,
            SubtaskPhase::Ready | SubtaskPhase::Offered | SubtaskPhase::Backoff => &mut self.ready,
            SubtaskPhase::Running | SubtaskPhase::Checking => &mut self.running,
            SubtaskPhase::Done => &mut self.done,
            SubtaskPhase::Failed => &mut self.failed,
            SubtaskPhase::Skipped => &mut self.skipped,
            SubtaskPhase::Cancelled => &mut self.cancelled,
            SubtaskPhase::Retired => return None,
        })
    }

    /// Returns how many subtasks are over.
    pub fn finished(&self) -> u32 {
        self.done + self.failed + self.skipped + self.cancelled
    }
}

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunStatus {
    /// The run; what the stories call an orchestration.
    #[serde(rename = "orchestration_id")]
    pub run_id: RunId,
    /// The task's id.
    pub task_id: TaskId,
    /// The project.
    pub project: ProjectId,
    /// The task in words.
    pub description: String,
    /// The task's type.
    pub task_type: String,
    /// Where it stands.
    pub status: RunPhase,
    /// How it ended, once it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_status: Option<EndStatus>,
    /// How many subtasks run at once.
    pub strategy: ExecutionStrategy,
    /// How many attempts may be in flight at the moment.
    pub concurrency_limit: u32,
    /// How many subtasks stand where.
    pub counts: Counts,
    /// Finished subtasks / all subtasks, 0 to 1.
    pub progress: f64,
    /// The subtasks, in plan order.
    pub subtasks: Vec<SubtaskStatus>,
    /// The workers that the run has used.
    pub worker_status: Vec<WorkerStatus>,
    /// What was used so far, as far as it is known.
    pub usage: Usage,
    /// The last event.
    pub seq: Seq,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// When the last event happened.
    pub updated_at: Timestamp,
}

/// How a subtask stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SubtaskStatus {
    /// The subtask.
    pub subtask_id: SubtaskId,
    /// The subtask in words.
    pub description: String,
    /// Its type.
    pub task_type: String,
    /// Where it stands.
    pub status: SubtaskPhase,
    /// What it depends on.
    pub dependencies: Vec<SubtaskId>,
    /// How many attempts were made.
    pub attempts: u32,
    /// Attempts that are open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<AttemptStatus>,
    /// Who did it, once it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<WorkerName>,
    /// How long the accepted attempt took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Why it failed, was skipped, or is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it is tried again, while it waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// Who alone may try it again, if somebody was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_by: Option<WorkerName>,
    /// The locks that it needs, while it is ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<LockName>,
    /// The lock that it waits for, because another run holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<LockWait>,
}

/// A lock that another run holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LockWait {
    /// The lock.
    pub lock: LockName,
    /// The run that holds it.
    pub held_by: RunId,
    /// The name of the process that carries out that run, for people; `None` when no process does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The number of that process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_pid: Option<u32>,
    /// Whether that process is known to have ended. A lock of its managed attempts is then freed soon, unless the processes that
    /// they have left cannot be ended; claimed work keeps its lock until it is reported.
    pub owner_ended: bool,
}

impl LockWait {
    /// Makes the wait for a lock of a run that no process carries out.
    pub fn new(lock: LockName, held_by: RunId) -> Self {
        Self { lock, held_by, owner: None, owner_pid: None, owner_ended: false }
    }
}

crate::setters::setters! { LockWait {
    /// Sets the name of the process that carries out the run.
    with_owner => owner: Option<String>,
    /// Sets the number of that process.
    with_owner_pid => owner_pid: Option<u32>,
    /// Sets whether that process is known to have ended.
    with_owner_ended => owner_ended: bool,
} }

impl std::fmt::Display for LockWait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { lock, held_by, .. } = self;
        write!(f, "waits for lock `{lock}`, held by run {held_by} (")?;
        match (&self.owner, self.owner_pid) {
            (Some(owner), Some(pid)) if self.owner_ended => {
                write!(f, "{owner}, process {pid}, has ended)")?;
            }
            (Some(owner), Some(pid)) => {
                write!(f, "{owner}, process {pid}, not known to be dead)")?;
            }
            _ => write!(f, "no process carries it out)")?,
        }
        write!(f, ": `orch resume {held_by}` or `orch cancel {held_by}`")
    }
}

/// An open attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AttemptStatus {
    /// Its number.
    pub fence: Fence,
    /// Who makes it.
    pub worker: WorkerName,
    /// Since when.
    pub since: Timestamp,
    /// When it times out, its lease or its offer ends.
    pub until: Timestamp,
}

/// How a worker does in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkerStatus {
    /// The worker.
    pub worker: WorkerName,
    /// Attempts that are open.
    pub running: u32,
    /// Subtasks done.
    pub done: u32,
    /// Attempts failed.
    pub failed: u32,
    /// Time spent on attempts, in milliseconds.
    pub busy_ms: u64,
}

impl RunStatus {
    /// Makes the status of a run that has just been submitted.
    pub fn new(
        run_id: RunId,
        task: &crate::ComplexTask,
        settings: &crate::RunSettings,
        at: Timestamp,
    ) -> Self {
        Self {
            run_id,
            task_id: task.id.clone(),
            project: settings.project.clone(),
            description: task.description.clone(),
            task_type: task.task_type.clone(),
            status: RunPhase::Submitted,
            end_status: None,
            strategy: settings.strategy,
            concurrency_limit: 0,
            counts: Counts::default(),
            progress: 0.0,
            subtasks: Vec::new(),
            worker_status: Vec::new(),
            usage: Usage::default(),
            seq: Seq(0),
            submitted_at: at,
            updated_at: at,
        }
    }
}

impl SubtaskStatus {
    /// Makes the status of a subtask that has not been tried.
    pub fn new(subtask: &crate::Subtask, status: SubtaskPhase) -> Self {
        Self {
            subtask_id: subtask.id.clone(),
            description: subtask.description.clone(),
            task_type: subtask.task_type.clone(),
            status,
            dependencies: subtask.dependencies.clone(),
            attempts: 0,
            open: Vec::new(),
            worker: None,
            duration_ms: None,
            reason: None,
            retry_at: None,
            retry_by: None,
            locks: Vec::new(),
            waits_for: None,
        }
    }
}

impl AttemptStatus {
    /// Makes the status of an attempt.
    pub fn new(fence: Fence, worker: WorkerName, since: Timestamp, until: Timestamp) -> Self {
        Self { fence, worker, since, until }
    }
}

impl WorkerStatus {
    /// Makes the status of a worker that has done nothing yet.
    pub fn new(worker: WorkerName) -> Self {
        Self { worker, running: 0, done: 0, failed: 0, busy_ms: 0 }
    }
}
