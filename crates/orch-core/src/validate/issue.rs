//! What can be wrong with a plan. Every issue is a sentence that says what to do about it.

use std::fmt;

use thiserror::Error;

use crate::{SubtaskId, WorkerName};

/// The most names that one sentence lists.
const MAX_LISTED: usize = 12;

/// What is wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PlanIssue {
    /// There is nothing to do, and no empty list is the reason.
    #[error("the plan has no subtasks; give it at least one")]
    Empty,
    /// There is too much to do.
    #[error(
        "the plan has {count} subtasks with all replicas, more than {max}; split the task or raise max_subtasks"
    )]
    TooMany {
        /// The subtasks, replicas included.
        count: usize,
        /// The most that are allowed.
        max: usize,
    },
    /// Several subtasks have the same id.
    #[error("{times} subtasks have the id `{id}`; give each an id of its own")]
    DuplicateId {
        /// The id.
        id: SubtaskId,
        /// How many subtasks have it.
        times: usize,
    },
    /// The id belongs to a replica of another subtask.
    #[error("the id `{id}` is that of a replica of subtask `{of}`; choose another")]
    ReplicaId {
        /// The id.
        id: SubtaskId,
        /// The subtask with replicas.
        of: SubtaskId,
    },
    /// The id is one of those that the engine gives.
    #[error("the id `{id}` begins with `$`, which is kept for the engine; choose another")]
    ReservedId {
        /// The id.
        id: SubtaskId,
    },
    /// The id is no proper name.
    #[error("the id {} {fault}; choose another", quoted(.id.as_str()))]
    BadId {
        /// The id.
        id: SubtaskId,
        /// What is wrong with it.
        fault: NameFault,
    },
    /// A dependency that is not in the plan.
    #[error("subtask `{subtask}` depends on {}, which is not in the plan; {}", quoted(.dependency.as_str()), advice(.nearest.as_ref(), "add it or drop the dependency"))]
    UnknownDependency {
        /// The subtask.
        subtask: SubtaskId,
        /// What it depends on.
        dependency: SubtaskId,
        /// The subtask that may have been meant.
        nearest: Option<SubtaskId>,
    },
    /// A dependency that is listed twice.
    #[error("subtask `{subtask}` lists the dependency `{dependency}` twice; drop one")]
    RepeatedDependency {
        /// The subtask.
        subtask: SubtaskId,
        /// What it depends on.
        dependency: SubtaskId,
    },
    /// A subtask that waits for itself.
    #[error("subtask `{subtask}` depends on itself; drop that dependency")]
    SelfDependency {
        /// The subtask.
        subtask: SubtaskId,
    },
    /// Subtasks that wait for each other.
    #[error("these subtasks wait for each other: {}; drop one of these dependencies", circle(.subtasks))]
    Cycle {
        /// The subtasks: each depends on the next, the last on the first.
        subtasks: Vec<SubtaskId>,
    },
    /// `tolerates` names something that is no dependency.
    #[error("subtask `{subtask}` tolerates {}, on which it does not depend; {}", quoted(.tolerated.as_str()), advice(.nearest.as_ref(), "add the dependency or drop it from tolerates"))]
    TolerateNotDependency {
        /// The subtask.
        subtask: SubtaskId,
        /// What it tolerates.
        tolerated: SubtaskId,
        /// The dependency that may have been meant.
        nearest: Option<SubtaskId>,
    },
    /// A priority above 100.
    #[error("subtask `{subtask}` has priority {priority}; choose 0 to 100, higher goes first")]
    PriorityOutOfRange {
        /// The subtask.
        subtask: SubtaskId,
        /// Its priority.
        priority: u8,
    },
    /// Nobody is to do it.
    #[error("subtask `{subtask}` has 0 replicas; set at least 1 or drop the subtask")]
    ZeroReplicas {
        /// The subtask.
        subtask: SubtaskId,
    },
    /// More workers are to do it than there are for it.
    #[error(
        "subtask `{subtask}` has {replicas} replicas, each for another worker, but only {able} can do it; set at most {able}"
    )]
    TooManyReplicas {
        /// The subtask.
        subtask: SubtaskId,
        /// How many are wanted.
        replicas: u32,
        /// How many workers can do it.
        able: u32,
    },
    /// A number without sense.
    #[error("{}{field} is {value}; give {expected}", of(.subtask.as_ref()))]
    BadNumber {
        /// The subtask, `None` for the plan itself.
        subtask: Option<SubtaskId>,
        /// The field.
        field: &'static str,
        /// Its value, as text.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// A lock that cannot be taken.
    #[error("lock {} of subtask `{subtask}` {fault}; rename it or drop it", quoted(.lock))]
    BadLock {
        /// The subtask.
        subtask: SubtaskId,
        /// The lock's name.
        lock: String,
        /// What is wrong with it.
        fault: NameFault,
    },
    /// An artifact that no result can list.
    #[error("artifact {} of subtask `{subtask}` {fault}; rename it or drop it", quoted(.artifact))]
    BadArtifact {
        /// The subtask.
        subtask: SubtaskId,
        /// The artifact's name.
        artifact: String,
        /// What is wrong with it.
        fault: NameFault,
    },
    /// There is nobody to do anything.
    #[error("there are no workers; register at least one")]
    NoWorkers,
    /// The only worker that may do it does not exist.
    #[error("subtask `{subtask}` requires worker {}, which does not exist; {}", quoted(.worker.as_str()), advice(.nearest.as_ref(), "register it or drop require_worker"))]
    UnknownRequiredWorker {
        /// The subtask.
        subtask: SubtaskId,
        /// The worker.
        worker: WorkerName,
        /// The worker that may have been meant.
        nearest: Option<WorkerName>,
    },
    /// Nobody can do it.
    #[error("no worker can do subtask `{subtask}` {}: {why}", typed(.task_type))]
    Unservable {
        /// The subtask.
        subtask: SubtaskId,
        /// Its type.
        task_type: String,
        /// Why not.
        why: Unserved,
    },
}

/// What is wrong with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameFault {
    /// Nothing to see.
    #[error("is blank")]
    Blank,
    /// White space before or after it.
    #[error("begins or ends with white space")]
    Padded,
    /// Line breaks or other control characters.
    #[error("has control characters")]
    Control,
    /// More than [`MAX_NAME_LENGTH`](super::MAX_NAME_LENGTH) characters.
    #[error("is longer than {} characters", super::MAX_NAME_LENGTH)]
    TooLong,
    /// It stands twice in the same list.
    #[error("is listed twice")]
    Repeated,
}

/// Why no worker can do a subtask.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Unserved {
    /// No worker can do this type of work.
    #[error("none handles that type; {}", advice(.nearest.as_ref(), "register a worker that does or change the type"))]
    NoCapability {
        /// The type that may have been meant.
        nearest: Option<String>,
    },
    /// The constraints forbid all that could.
    #[error("{} could, but the constraints exclude them; relax require_worker, kind, exclude_workers or tags", listed(.able))]
    Excluded {
        /// Those that could, in order of registration.
        able: Vec<WorkerName>,
    },
}

/// Quotes a name that may be anything: visible, and not too long for a sentence.
fn quoted(name: &str) -> String {
    if name.chars().count() > super::MAX_NAME_LENGTH {
        let start: String = name.chars().take(32).collect();
        format!("`{}...`", start.escape_debug())
    } else {
        format!("`{}`", name.escape_debug())
    }
}

fn advice(nearest: Option<&impl fmt::Display>, otherwise: &str) -> String {
    nearest.map_or_else(|| otherwise.to_owned(), |name| format!("did you mean `{name}`?"))
}

fn of(subtask: Option<&SubtaskId>) -> String {
    subtask.map_or_else(|| "the plan's ".to_owned(), |id| format!("subtask `{id}`: "))
}

fn typed(task_type: &str) -> String {
    if task_type.is_empty() {
        "without a task_type".to_owned()
    } else {
        format!("of type {}", quoted(task_type))
    }
}

fn circle(subtasks: &[SubtaskId]) -> String {
    let mut names: Vec<&str> = subtasks.iter().take(MAX_LISTED).map(SubtaskId::as_str).collect();
    let more = subtasks.len() - names.len();
    let hidden = format!("({more} more)");
    if more > 0 {
        names.push(&hidden);
    }
    names.extend(subtasks.first().map(SubtaskId::as_str));
    names.join(" -> ")
}

fn listed(workers: &[WorkerName]) -> String {
    let names: Vec<_> = workers.iter().take(MAX_LISTED).map(|name| format!("`{name}`")).collect();
    match workers.len() - names.len() {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}
