//! What a run is, for everybody but the engine: folded from its events, one at a time.
//!
//! The engine decides by its own state, which holds more. The simulator checks after every event that both say the same.
//! `apply` is the fold; this file is what it makes.

mod apply;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    AttemptClosedReason, CancelReason, ComplexTask, Counts, EndStatus, Failure, Fence, LossCause,
    RoutingNote, RunPhase, RunSettings, Seq, StoredResult, Subtask, SubtaskId, SubtaskIndex,
    SubtaskPhase, Token, WorkerName,
};

/// A run, as far as its events have been applied. The default is a run without events.
///
/// An event that names a subtask or an attempt that does not exist changes nothing but `seq` and `at`: a view shows as much
/// as a damaged history tells, and the engine refuses to go on with it.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct RunView {
    /// The last event.
    pub seq: Seq,
    /// When the last event happened; `None` before the first.
    pub at: Option<Timestamp>,
    /// What is asked for; `None` before the first event.
    pub task: Option<Arc<ComplexTask>>,
    /// How it is run; `None` before the first event.
    pub settings: Option<Arc<RunSettings>>,
    /// The plan's revision; 0 before the first plan.
    pub revision: u32,
    /// All subtasks of all revisions, by index, retired ones too.
    pub subtasks: Vec<SubtaskView>,
    /// Whether the run waits to be resumed.
    pub is_suspended: bool,
    /// Why the run is to end early, if it is.
    pub cancel_reason: Option<CancelReason>,
    /// How the run ended; `None` before its end.
    pub end_status: Option<EndStatus>,
    indexes: HashMap<SubtaskId, SubtaskIndex>,
    subtask_of: BTreeMap<Fence, SubtaskIndex>,
}

/// A subtask of a [`RunView`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SubtaskView {
    /// The subtask, as the plan has it.
    pub spec: Arc<Subtask>,
    /// Where it stood at the last event. See [`SubtaskView::phase_at`].
    pub phase: SubtaskPhase,
    /// When a pause before a retry ends; `None` outside of such a pause.
    pub retry_at: Option<Timestamp>,
    /// Its attempts by number, offers too.
    pub attempts: BTreeMap<Fence, AttemptView>,
    /// Each dependency, and whether the subtask tolerates its failure.
    dependencies: Vec<(SubtaskIndex, bool)>,
    dependants: Vec<SubtaskIndex>,
    /// How many dependencies are missing while it waits.
    unmet: usize,
}

/// An attempt of a [`SubtaskView`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AttemptView {
    /// The attempt's secret.
    pub token: Token,
    /// Who makes it.
    pub worker: WorkerName,
    /// How it is made.
    pub kind: AttemptKind,
    /// When it was started, or offered as long as nobody has claimed it.
    pub since: Timestamp,
    /// When it times out, or its lease or offer ends.
    pub until: Timestamp,
    /// Why this worker.
    pub route: Option<Box<RoutingNote>>,
    /// Its result, accepted or not.
    pub result: Option<Arc<StoredResult>>,
    /// What it had written when it was stopped without failing.
    pub stopped_with: Option<Arc<StoredResult>>,
    /// When and how it ended. `None` while it is open or its result is checked.
    pub end: Option<(Timestamp, AttemptEnd)>,
}

/// How an attempt is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptKind {
    /// The engine runs it.
    Managed,
    /// A pull worker may claim it.
    Offered,
    /// A pull worker has claimed it.
    Claimed,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptEnd {
    /// Its result was accepted.
    Accepted,
    /// It failed, or its result was refused.
    Failed(Failure),
    /// It died through no fault of its own.
    Lost(LossCause),
    /// It was no longer wanted.
    Closed(AttemptClosedReason),
}

impl RunView {
    /// Returns the subtask with an id, and its place among all.
    pub fn find(&self, id: &str) -> Option<(usize, &SubtaskView)> {
        let index = self.indexes.get(id)?.get();
        Some((index, self.subtasks.get(index)?))
    }

    /// Returns the open attempts by number, each with its subtask.
    pub fn open_attempts(&self) -> impl Iterator<Item = (Fence, SubtaskIndex, &AttemptView)> {
        self.subtask_of.iter().filter_map(|(fence, index)| {
            let attempt = self.subtasks.get(index.get())?.attempts.get(fence)?;
            attempt.is_open().then_some((*fence, *index, attempt))
        })
    }

    /// Returns how many subtasks stand where.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for subtask in &self.subtasks {
            if let Some(count) = counts.of(subtask.phase) {
                *count += 1;
                counts.total += 1;
            }
        }
        counts
    }

    /// Returns where the run stands.
    pub fn phase(&self) -> RunPhase {
        let is_over = |subtask: &SubtaskView| subtask.phase.is_final();
        let all_over = || {
            self.revision > 0
                && self.subtasks.iter().all(is_over)
                && self.open_attempts().next().is_none()
        };
        match (self.task.is_some(), self.end_status) {
            (_, Some(_)) => RunPhase::Ended,
            (false, None) => RunPhase::Submitted,
            (true, None) if self.is_suspended => RunPhase::Suspended,
            (true, None) if all_over() => RunPhase::Aggregating,
            (true, None) if self.cancel_reason.is_some() => RunPhase::Cancelling,
            (true, None) if self.revision == 0 => RunPhase::Planning,
            (true, None) => RunPhase::Active,
        }
    }
}

impl SubtaskView {
    /// Returns where the subtask stands at `now`, which is not before the last event: a pause before a retry may be over.
    pub fn phase_at(&self, now: Timestamp) -> SubtaskPhase {
        match self.retry_at {
            Some(at) if at <= now => SubtaskPhase::Ready,
            Some(_) | None => self.phase,
        }
    }

    /// Returns an attempt that can be reported on.
    pub fn open(&self, fence: Fence) -> Option<&AttemptView> {
        self.attempts.get(&fence).filter(|attempt| attempt.is_open())
    }

    /// Returns the number of the last attempt that can be reported on.
    pub fn last_open(&self) -> Option<Fence> {
        self.attempts.iter().rev().find(|(_, attempt)| attempt.is_open()).map(|(fence, _)| *fence)
    }

    /// Returns the accepted result.
    pub fn accepted(&self) -> Option<&Arc<StoredResult>> {
        let is_accepted = |attempt: &&AttemptView| {
            attempt.end.as_ref().is_some_and(|(_, end)| *end == AttemptEnd::Accepted)
        };
        self.attempts.values().find(is_accepted)?.result.as_ref()
    }

    /// Returns the worker of the last attempt; `None` before the first.
    pub fn worker(&self) -> Option<&WorkerName> {
        self.attempts.values().next_back().map(|attempt| &attempt.worker)
    }
}

impl AttemptView {
    /// Tells whether the attempt can be reported on: it has no result and no end.
    pub fn is_open(&self) -> bool {
        self.result.is_none() && self.end.is_none()
    }
}
