//! What is asked for: a complex task, and the subtasks that a plan makes of it.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::setters::setters;
use crate::{Gate, JsonMap, LockName, SubtaskId, TaskId, Worker, WorkerKind, WorkerName};

/// A task too large for one worker, as a user submits it.
///
/// ```
/// use orch_core::{ComplexTask, Constraints, infer_task_type};
///
/// let description = "Test every form of the shop";
/// let task = ComplexTask::new("shop-1", description, infer_task_type(description))
///     .with_constraints(Constraints::new().with_max_cost_usd(0.5));
/// assert_eq!(task.task_type, "testing");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ComplexTask {
    /// The submitter's id of the task.
    pub id: TaskId,
    /// What is to be done, in words.
    pub description: String,
    /// The kind of task, for example `repo_audit`; see [`infer_task_type`](crate::infer_task_type).
    pub task_type: String,
    /// Data for all subtasks; workers see it as `parent_context`.
    #[serde(default)]
    pub context: JsonMap,
    /// Routing constraints that hold for every subtask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraints: Option<Constraints>,
    /// The wall time at which the run ends with what it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<jiff::Timestamp>,
}

impl ComplexTask {
    /// Makes a task without context, constraints or deadline.
    pub fn new(
        id: impl Into<TaskId>,
        description: impl Into<String>,
        task_type: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            description: description.into(),
            task_type: task_type.into(),
            context: JsonMap::new(),
            constraints: None,
            deadline: None,
        }
    }
}

setters! { ComplexTask {
    /// Sets the data that all subtasks see.
    with_context => context: JsonMap,
    /// Sets the routing constraints of every subtask.
    with_constraints => constraints: Option<Constraints>,
    /// Sets the wall time at which the run ends.
    with_deadline => deadline: Option<jiff::Timestamp>,
} }

/// Who may or should do the work, and for how much.
///
/// ```
/// use orch_core::Constraints;
///
/// let task = Constraints::new().with_exclude_workers(vec!["intern".into()]).with_max_cost_usd(1.0);
/// let subtask = Constraints::new().with_prefer(vec!["victor".into()]).with_max_cost_usd(2.0);
/// let both = subtask.within(&task);
/// assert_eq!((both.exclude_workers.len(), both.prefer.len(), both.max_cost_usd), (1, 1, Some(1.0)));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Constraints {
    /// The only worker that may do it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_worker: Option<WorkerName>,
    /// The only kind of worker that may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<WorkerKind>,
    /// Workers that may not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_workers: Vec<WorkerName>,
    /// Workers to take first when they are able, best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefer: Vec<WorkerName>,
    /// Capability names that the worker must have, all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The most that one attempt may cost, in US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cost_usd: Option<f64>,
}

impl Constraints {
    /// Makes constraints that forbid nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns what holds when both `self` (the subtask's) and `outer` (the task's) do: exclusions and tags add up, the
    /// lower cost counts, the task's kind of worker counts, and the subtask's own requirement and preferences go first.
    #[must_use]
    pub fn within(&self, outer: &Self) -> Self {
        let mut all = self.clone();
        all.require_worker = self.require_worker.clone().or_else(|| outer.require_worker.clone());
        all.kind = outer.kind.or(self.kind);
        all.exclude_workers.extend(outer.exclude_workers.iter().cloned());
        all.prefer.extend(outer.prefer.iter().cloned());
        all.tags.extend(outer.tags.iter().cloned());
        all.max_cost_usd = match (self.max_cost_usd, outer.max_cost_usd) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        all
    }

    /// Tells whether `worker` is named as the only one that may do it.
    pub fn requires(&self, worker: &WorkerName) -> bool {
        self.require_worker.as_ref() == Some(worker)
    }

    /// Tells whether `worker` may do it: it is not excluded, is the required one and of the required kind if there is one,
    /// and has all tags.
    pub fn admits(&self, worker: &dyn Worker) -> bool {
        self.require_worker.as_ref().is_none_or(|required| required == worker.name())
            && self.kind.is_none_or(|kind| kind == worker.kind())
            && !self.exclude_workers.contains(worker.name())
            && self.tags.iter().all(|tag| worker.capabilities().iter().any(|c| c.name == *tag))
    }
}

setters! { Constraints {
    /// Sets the only worker that may do it.
    with_require_worker => require_worker: Option<WorkerName>,
    /// Sets the only kind of worker that may.
    with_kind => kind: Option<WorkerKind>,
    /// Sets the workers that may not.
    with_exclude_workers => exclude_workers: Vec<WorkerName>,
    /// Sets the workers to take first.
    with_prefer => prefer: Vec<WorkerName>,
    /// Sets the capability names that the worker must have.
    with_tags => tags: Vec<String>,
    /// Sets the most that one attempt may cost, in US dollars.
    with_max_cost_usd => max_cost_usd: Option<f64>,
} }

/// One piece of work for one worker.
///
/// ```
/// use orch_core::{Gate, Subtask};
///
/// let subtask = Subtask::new("report", "Write the report", "writing")
///     .with_dependencies(["sizes", "authors"])
///     .with_tolerates(["authors"])
///     .with_gates(vec![Gate::MinLength(100)]);
/// let json = serde_json::to_value(&subtask)?;
/// assert_eq!(json["dependencies"][1], "authors");
/// assert_eq!(serde_json::from_value::<Subtask>(json)?, subtask);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Subtask {
    /// The id, unique in the plan; must not begin with `$`.
    pub id: SubtaskId,
    /// The id of the task that it belongs to; filled in when a plan is adopted.
    #[serde(default = "no_task")]
    pub parent_task_id: TaskId,
    /// What is to be done, in words.
    pub description: String,
    /// The kind of work; matched with the workers' capabilities.
    #[serde(default)]
    pub task_type: String,
    /// 0 to 100, higher first.
    #[serde(default = "default_priority")]
    pub priority: u8,
    /// Subtasks that must be done before this one starts.
    #[serde(default)]
    pub dependencies: Vec<SubtaskId>,
    /// Data for this subtask alone.
    #[serde(default)]
    pub context: JsonMap,
    /// The wall time after which no attempt of it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<jiff::Timestamp>,
    /// Routing constraints, within those of the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraints: Option<Constraints>,
    /// Dependencies that may fail; they then arrive as a typed absence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerates: Vec<SubtaskId>,
    /// `true`: the run fails without it; `false`: it is left out of the success ratio; absent: it counts in the ratio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// Locks of the project that every attempt of it holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<LockName>,
    /// How many distinct workers do it; above 1 it becomes that many subtasks with one `group`.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub replicas: u32,
    /// The group within which a vote is held; set for replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What a result must fulfil to be accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<Gate>,
    /// Names of artifacts that a result must list in its metadata.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<String>,
    /// How long one attempt may take, in milliseconds; the run's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How long it is expected to take, in milliseconds; orders the ready subtasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_duration_ms: Option<u64>,
}

impl Subtask {
    /// The key of its [`context`](Self::context) under which a subtask that was made of a list finds its item.
    pub const ITEM: &str = "item";

    /// The priority of a subtask that names none.
    pub const DEFAULT_PRIORITY: u8 = 50;
    /// How long a subtask of which nothing is known is taken to last, in milliseconds.
    pub const GUESSED_DURATION_MS: u64 = 1_000;

    /// Makes a subtask of default priority that depends on nothing.
    pub fn new(
        id: impl Into<SubtaskId>,
        description: impl Into<String>,
        task_type: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            parent_task_id: no_task(),
            description: description.into(),
            task_type: task_type.into(),
            priority: Self::DEFAULT_PRIORITY,
            dependencies: Vec::new(),
            context: JsonMap::new(),
            deadline: None,
            constraints: None,
            tolerates: Vec::new(),
            required: None,
            locks: Vec::new(),
            replicas: 1,
            group: None,
            gates: Vec::new(),
            artifacts: Vec::new(),
            timeout_ms: None,
            estimated_duration_ms: None,
        }
    }

    /// Sets the ids that must be done first.
    #[must_use]
    pub fn with_dependencies<I: Into<SubtaskId>>(
        mut self,
        ids: impl IntoIterator<Item = I>,
    ) -> Self {
        self.dependencies = ids.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the dependencies that may fail.
    #[must_use]
    pub fn with_tolerates<I: Into<SubtaskId>>(mut self, ids: impl IntoIterator<Item = I>) -> Self {
        self.tolerates = ids.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the locks that every attempt holds.
    #[must_use]
    pub fn with_locks<I: Into<LockName>>(mut self, names: impl IntoIterator<Item = I>) -> Self {
        self.locks = names.into_iter().map(Into::into).collect();
        self
    }
}

setters! { Subtask {
    /// Sets the id of the task that it belongs to.
    with_parent_task_id => parent_task_id: TaskId,
    /// Sets the priority, 0 to 100, higher first.
    with_priority => priority: u8,
    /// Sets the data for this subtask alone.
    with_context => context: JsonMap,
    /// Sets the wall time after which no attempt of it goes on.
    with_deadline => deadline: Option<jiff::Timestamp>,
    /// Sets the routing constraints.
    with_constraints => constraints: Option<Constraints>,
    /// Sets whether the run fails without it (`true`) or does not count it (`false`).
    with_required => required: Option<bool>,
    /// Sets how many distinct workers do it.
    with_replicas => replicas: u32,
    /// Sets the group within which a vote is held.
    with_group => group: Option<String>,
    /// Sets what a result must fulfil.
    with_gates => gates: Vec<Gate>,
    /// Sets the artifacts that a result must list.
    with_artifacts => artifacts: Vec<String>,
    /// Sets how long one attempt may take, in milliseconds.
    with_timeout_ms => timeout_ms: Option<u64>,
    /// Sets how long it is expected to take, in milliseconds.
    with_estimated_duration_ms => estimated_duration_ms: Option<u64>,
} }

/// What a subtask has until its plan is adopted for a task.
fn no_task() -> TaskId {
    static NO_TASK: LazyLock<TaskId> = LazyLock::new(|| TaskId::new(""));
    NO_TASK.clone()
}

fn default_priority() -> u8 {
    Subtask::DEFAULT_PRIORITY
}

fn one() -> u32 {
    1
}

fn is_one(value: &u32) -> bool {
    *value == 1
}
