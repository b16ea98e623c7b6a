//! A subtask in a run: where it stands, and its place in the graph.

use std::num::NonZeroU32;
use std::sync::Arc;

use jiff::Timestamp;
use orch_core::{Failure, Fence, StoredResult, Subtask, SubtaskIndex, SubtaskPhase, WorkerName};

use super::ready::ClassId;

/// A subtask with its place in the graph.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// The subtask.
    pub spec: Arc<Subtask>,
    /// What it depends on, in plan order, and whether it tolerates a failure there.
    pub dependencies: Box<[(SubtaskIndex, bool)]>,
    /// What depends on it.
    pub dependants: Vec<SubtaskIndex>,
    /// Where it stands.
    pub state: SubtaskState,
    /// The longest remaining path from here, in estimated milliseconds.
    pub rank: u64,
    /// What it needs of a worker.
    pub class: ClassId,
    /// Attempts started or offered so far.
    pub attempts: u32,
    /// Attempts that failed, losses apart.
    pub failures: u32,
    /// Attempts lost with their supervisor.
    pub losses: u32,
    /// What seldom happens to a subtask.
    pub trouble: Option<Box<Trouble>>,
}

impl Node {
    /// Tells whether it may start though `dependency` failed.
    pub(super) fn tolerates(&self, dependency: SubtaskIndex) -> bool {
        self.dependencies.iter().any(|(on, tolerated)| *on == dependency && *tolerated)
    }
}

/// What is known of a subtask that has failed at least once.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Trouble {
    /// Workers that failed at it, oldest first.
    pub tried: Vec<WorkerName>,
    /// The last failure.
    pub last: Option<Failure>,
    /// Advice for the next attempt.
    pub guidance: Option<String>,
    /// Whether an intervention waits to be judged.
    pub intervened: bool,
}

/// Where a subtask stands. Each variant holds exactly what is known there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SubtaskState {
    /// Dependencies are missing.
    Waiting {
        /// How many.
        unmet: NonZeroU32,
    },
    /// It could start.
    Ready,
    /// A pull worker may claim it.
    Offered {
        /// The offer.
        fence: Fence,
    },
    /// Attempts are open.
    Running {
        /// Which, as a rule one.
        attempts: Vec<Fence>,
    },
    /// A result is stored, and not accepted yet.
    Checking {
        /// Whose.
        fence: Fence,
        /// The result.
        result: Arc<StoredResult>,
    },
    /// The last attempt failed; what follows is being decided.
    Undecided,
    /// It will be tried again.
    Backoff {
        /// When.
        until: Timestamp,
    },
    /// A result is accepted.
    Done {
        /// Whose.
        fence: Fence,
        /// The result.
        result: Arc<StoredResult>,
    },
    /// It has failed.
    Failed {
        /// The last failure.
        failure: Box<Failure>,
        /// Why it was not tried again.
        reason: String,
    },
    /// Something that it needs failed.
    Skipped {
        /// The root of it.
        because: SubtaskIndex,
    },
    /// The run ended before it was done.
    Cancelled,
    /// A revised plan does not want it.
    Retired {
        /// Which revision.
        revision: u32,
    },
}

impl SubtaskState {
    /// Returns the accepted result.
    pub(crate) fn accepted(&self) -> Option<&Arc<StoredResult>> {
        if let Self::Done { result, .. } = self { Some(result) } else { None }
    }

    /// Returns the failure of a subtask that has failed for good.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        if let Self::Failed { failure, .. } = self { Some(failure) } else { None }
    }

    /// Returns the open attempts of a running subtask.
    pub(crate) fn running(&self) -> &[Fence] {
        if let Self::Running { attempts } = self { attempts } else { &[] }
    }

    /// Returns the word for it.
    pub(crate) fn phase(&self) -> SubtaskPhase {
        match self {
            Self::Waiting { .. } => SubtaskPhase::Waiting,
            Self::Ready => SubtaskPhase::Ready,
            Self::Offered { .. } => SubtaskPhase::Offered,
            Self::Running { .. } => SubtaskPhase::Running,
            Self::Checking { .. } => SubtaskPhase::Checking,
            Self::Undecided | Self::Backoff { .. } => SubtaskPhase::Backoff,
            Self::Done { .. } => SubtaskPhase::Done,
            Self::Failed { .. } => SubtaskPhase::Failed,
            Self::Skipped { .. } => SubtaskPhase::Skipped,
            Self::Cancelled => SubtaskPhase::Cancelled,
            Self::Retired { .. } => SubtaskPhase::Retired,
        }
    }
}
