//! What is known of a run.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use orch_core::{
    AggregationSettings, AggregationStrategy, BlobRef, CancelReason, ComplexTask, Conflict,
    Constraints, Counts, DecompositionPlan, Digest, EndStatus, Fence, JsonMap, LockName, Origin,
    OutcomeCounts, PlanSource, RequestKey, RunId, RunPhase, RunSettings, Seq, Subtask, SubtaskId,
    SubtaskIndex, WorkerName,
};
use serde_json::Value;

use super::attempt::{Attempt, Slot};
use super::budget::Ledger;
use super::concurrency_limit::ConcurrencyLimit;
use super::node::{Node, SubtaskState};
use super::ready::{Class, ClassId, Key, ReadyQueue};

/// A run: a fold over its events.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    pub(super) run: RunId,
    pub(super) seq: Seq,
    pub(super) submitted_at: Timestamp,
    /// The time of the last event.
    pub(super) at: Timestamp,
    pub(super) task: Arc<ComplexTask>,
    /// The task's context, shared by all attempts.
    pub(super) context: Arc<JsonMap>,
    pub(super) settings: Arc<RunSettings>,
    pub(super) given: Option<Arc<DecompositionPlan>>,
    /// What is drawn for the run follows from it.
    pub(super) seed: u64,
    pub(super) origin: Arc<Origin>,
    pub(super) stage: Stage,
    pub(super) suspended: bool,
    /// 0 before the first plan.
    pub(super) revision: u32,
    /// What made the first plan.
    pub(super) source: PlanSource,
    pub(super) nodes: Vec<Node>,
    pub(super) by_id: HashMap<SubtaskId, SubtaskIndex>,
    pub(super) groups: BTreeMap<String, Vec<SubtaskIndex>>,
    pub(super) counts: Counts,
    pub(super) ready: ReadyQueue,
    /// Subtasks whose failure the handler has not decided about yet.
    pub(super) undecided: BTreeSet<SubtaskIndex>,
    /// Fence n is slot n - 1.
    pub(super) slots: Vec<Slot>,
    /// Attempts that are open.
    pub(super) open: BTreeSet<Fence>,
    /// Open attempts that are not offers.
    pub(super) in_flight: u32,
    /// Open managed attempts of an earlier owner: dead or to be killed, not to be trusted.
    pub(super) orphans: BTreeSet<Fence>,
    pub(super) timers: BTreeSet<(Timestamp, Timer)>,
    /// Managed attempts whose time is over.
    pub(super) overdue: BTreeSet<Fence>,
    pub(super) locks: BTreeMap<LockName, Fence>,
    /// Which attempts each claim's request got.
    pub(super) claims: BTreeMap<RequestKey, Vec<Fence>>,
    /// Which attempt each report's request was about.
    pub(super) reports: BTreeMap<RequestKey, Fence>,
    pub(super) concurrency_limit: ConcurrencyLimit,
    /// The way to make one output that people liked best.
    pub(super) liked: Option<AggregationStrategy>,
    /// Whom pinned rules prefer, by type of subtask.
    pub(super) preferred: BTreeMap<String, Vec<WorkerName>>,
    pub(super) ledger: Ledger,
    pub(super) outcome_counts: OutcomeCounts,
    pub(super) busy_ms: BTreeMap<WorkerName, u64>,
    /// Active time before `active_since`, in milliseconds.
    pub(super) active_ms: u64,
    pub(super) active_since: Option<Timestamp>,
    /// Refused reports kept so far: which attempt they named, and their digest.
    pub(super) evidence: BTreeSet<(Fence, Digest)>,
}

/// The course of a run, suspension apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stage {
    /// There is no plan yet.
    Planning,
    /// Subtasks run, or all are over and the output is being made.
    Active,
    /// The run is ending early.
    Cancelling {
        /// Why.
        reason: CancelReason,
        /// Until when reports are accepted.
        until: Timestamp,
        /// More about it.
        detail: String,
    },
    /// Nothing follows.
    Ended(Box<Ended>),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ended {
    /// How.
    pub status: EndStatus,
    /// The output; null when it is in `blob`.
    pub output: Value,
    /// The large output.
    pub blob: Option<BlobRef>,
    /// Conflicts that the aggregation resolved.
    pub conflicts: Vec<Conflict>,
    /// How sure the aggregation is.
    pub confidence: f64,
    /// What went wrong.
    pub errors: Vec<String>,
}

/// Why the engine must look at a run at a certain time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// An attempt times out, or its lease or offer ends.
    Attempt(Fence),
    /// A pause before a retry ends.
    Backoff(SubtaskIndex),
    /// The task's deadline.
    Deadline,
    /// The end of the grace time of a cancel.
    Grace,
    /// The active time is used up.
    ActiveBudget,
}

/// Most refused reports that a run keeps.
pub(super) const MAX_EVIDENCE: usize = 1_000;

impl State {
    pub(super) fn empty(run: RunId, at: Timestamp) -> Self {
        Self {
            run,
            seq: Seq(0),
            submitted_at: at,
            at,
            task: Arc::new(ComplexTask::new("", "", "")),
            context: Arc::default(),
            settings: Arc::default(),
            given: None,
            seed: 0,
            origin: Arc::default(),
            stage: Stage::Planning,
            suspended: false,
            revision: 0,
            source: PlanSource::default(),
            nodes: Vec::new(),
            by_id: HashMap::new(),
            groups: BTreeMap::new(),
            counts: Counts::default(),
            ready: ReadyQueue::default(),
            undecided: BTreeSet::new(),
            slots: Vec::new(),
            open: BTreeSet::new(),
            in_flight: 0,
            orphans: BTreeSet::new(),
            timers: BTreeSet::new(),
            overdue: BTreeSet::new(),
            locks: BTreeMap::new(),
            claims: BTreeMap::new(),
            reports: BTreeMap::new(),
            concurrency_limit: ConcurrencyLimit::default(),
            liked: None,
            preferred: BTreeMap::new(),
            ledger: Ledger::default(),
            outcome_counts: OutcomeCounts::default(),
            busy_ms: BTreeMap::new(),
            active_ms: 0,
            active_since: Some(at),
            evidence: BTreeSet::new(),
        }
    }

    /// Returns the run.
    pub(crate) fn run(&self) -> RunId {
        self.run
    }

    /// Returns the number that all draws for the run follow from.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns where the run comes from.
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the last event.
    pub(crate) fn seq(&self) -> Seq {
        self.seq
    }

    /// Returns the time of the last event.
    pub(crate) fn at(&self) -> Timestamp {
        self.at
    }

    /// Returns what is asked for.
    pub(crate) fn task(&self) -> &Arc<ComplexTask> {
        &self.task
    }

    /// Returns the task's context.
    pub(crate) fn context(&self) -> &Arc<JsonMap> {
        &self.context
    }

    /// Returns how it is run.
    pub(crate) fn settings(&self) -> &Arc<RunSettings> {
        &self.settings
    }

    /// Returns what holds for who does `spec`: its own constraints, those of the task, and at last what pinned rules prefer. The
    /// worker that a retry was planned for is not among them.
    pub(crate) fn constraints_of(&self, spec: &Subtask) -> Option<Constraints> {
        let mut all = match (&spec.constraints, &self.task.constraints) {
            (Some(own), Some(outer)) => Some(own.within(outer)),
            (own, outer) => own.clone().or_else(|| outer.clone()),
        };
        if let Some(workers) = self.preferred.get(&spec.task_type) {
            all.get_or_insert_default().prefer.extend(workers.iter().cloned());
        }
        all
    }

    /// Returns how its results become one, by what earlier runs let expect. `auto` stays where nothing else than its own way, a merge, was
    /// liked better.
    pub(crate) fn aggregation(&self) -> AggregationSettings {
        let settings = self.settings.aggregation.clone();
        let liked = self.liked.filter(|liked| *liked != AggregationStrategy::Merge);
        let strategy = match (settings.strategy, liked) {
            (AggregationStrategy::Auto, None) => AggregationStrategy::Auto,
            (strategy, liked) => strategy.resolved(liked),
        };
        settings.with_strategy(strategy)
    }

    /// Returns the plan that came with the task.
    pub(crate) fn given(&self) -> Option<&Arc<DecompositionPlan>> {
        self.given.as_ref()
    }

    /// Tells whether the run waits to be resumed.
    pub(crate) fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// Tells whether nothing follows.
    pub(crate) fn is_ended(&self) -> bool {
        matches!(self.stage, Stage::Ended(_))
    }

    /// Returns the subtasks, in plan order.
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Returns a subtask.
    pub(crate) fn node(&self, index: SubtaskIndex) -> &Node {
        &self.nodes[index.get()]
    }

    /// Returns the index of a subtask.
    pub(crate) fn index_of(&self, id: &SubtaskId) -> Option<SubtaskIndex> {
        self.by_id.get(id).copied()
    }

    /// Returns how many subtasks stand where.
    #[cfg(any(test, feature = "sim"))]
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Returns what the run has seen of its workers.
    pub(crate) fn outcome_counts(&self) -> &OutcomeCounts {
        &self.outcome_counts
    }

    /// Returns the open attempts.
    pub(crate) fn open(&self) -> &BTreeSet<Fence> {
        &self.open
    }

    /// Returns what is known of an attempt.
    pub(crate) fn slot(&self, fence: Fence) -> Option<&Slot> {
        usize::try_from(fence.0.checked_sub(1)?).ok().and_then(|i| self.slots.get(i))
    }

    /// Returns an open attempt.
    pub(crate) fn attempt(&self, fence: Fence) -> Option<&Attempt> {
        match self.slot(fence)? {
            Slot::Open(attempt) => Some(attempt),
            Slot::Closed(_) => None,
        }
    }

    /// Returns subtasks whose failure the handler is to decide about.
    pub(crate) fn undecided(&self) -> &BTreeSet<SubtaskIndex> {
        &self.undecided
    }

    /// Returns the best ready subtask whose class is not in `blocked`.
    pub(crate) fn next_ready(
        &self,
        blocked: &BTreeSet<ClassId>,
    ) -> Option<(ClassId, SubtaskIndex)> {
        self.ready.best(blocked)
    }

    /// Returns a class.
    pub(crate) fn class(&self, id: ClassId) -> &Class {
        self.ready.class(id)
    }

    /// Returns the workers that members of `group` have been given to.
    pub(crate) fn workers_of_group(&self, group: &str) -> Vec<WorkerName> {
        let members = self.groups.get(group).map_or(&[][..], |m| m);
        members.iter().flat_map(|index| self.workers_of(*index)).collect()
    }

    /// Returns the workers that members of `group` other than `index` have been given to.
    pub(super) fn workers_of_group_but(&self, group: &str, index: SubtaskIndex) -> Vec<WorkerName> {
        let members = self.groups.get(group).map_or(&[][..], |m| m);
        members
            .iter()
            .filter(|other| **other != index)
            .flat_map(|other| self.workers_of(*other))
            .collect()
    }

    fn workers_of(&self, index: SubtaskIndex) -> Vec<WorkerName> {
        match &self.node(index).state {
            SubtaskState::Done { result, .. } | SubtaskState::Checking { result, .. } => {
                vec![result.result.worker_name.clone()]
            }
            SubtaskState::Offered { fence } => {
                self.attempt(*fence).map(|a| a.worker.clone()).into_iter().collect()
            }
            SubtaskState::Running { attempts } => attempts
                .iter()
                .filter_map(|fence| self.attempt(*fence))
                .map(|a| a.worker.clone())
                .collect(),
            SubtaskState::Waiting { .. }
            | SubtaskState::Ready
            | SubtaskState::Undecided
            | SubtaskState::Backoff { .. }
            | SubtaskState::Failed { .. }
            | SubtaskState::Skipped { .. }
            | SubtaskState::Cancelled
            | SubtaskState::Retired { .. } => Vec::new(),
        }
    }

    /// Returns the locks that open attempts hold.
    pub(crate) fn locks(&self) -> &BTreeMap<LockName, Fence> {
        &self.locks
    }

    /// Returns the next time at which something is due.
    pub(crate) fn next_timer(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Tells whether all subtasks of an adopted plan are over.
    pub(crate) fn all_over(&self) -> bool {
        self.revision > 0 && self.counts.finished() == self.counts.total && self.open.is_empty()
    }

    /// Returns where the run stands, in one word.
    pub(crate) fn phase(&self) -> RunPhase {
        match &self.stage {
            Stage::Ended(_) => RunPhase::Ended,
            Stage::Planning | Stage::Active | Stage::Cancelling { .. } if self.suspended => {
                RunPhase::Suspended
            }
            Stage::Active | Stage::Cancelling { .. } if self.all_over() => RunPhase::Aggregating,
            Stage::Planning => RunPhase::Planning,
            Stage::Active => RunPhase::Active,
            Stage::Cancelling { .. } => RunPhase::Cancelling,
        }
    }

    /// Returns how the run ended.
    pub(crate) fn end(&self) -> Option<&Ended> {
        match &self.stage {
            Stage::Ended(ended) => Some(ended),
            Stage::Planning | Stage::Active | Stage::Cancelling { .. } => None,
        }
    }

    /// Returns open attempts whose time is over.
    pub(crate) fn overdue(&self) -> &BTreeSet<Fence> {
        &self.overdue
    }

    /// Returns open managed attempts of an earlier owner.
    pub(crate) fn orphans(&self) -> &BTreeSet<Fence> {
        &self.orphans
    }

    /// Returns the number that the next attempt gets.
    pub(crate) fn fence_of_next(&self) -> Fence {
        self.next_fence()
    }

    /// Returns the epoch-independent time that the run was active until `now`, in milliseconds.
    pub(crate) fn active_ms(&self, now: Timestamp) -> u64 {
        self.active_ms + self.active_since.map_or(0, |since| millis_between(since, now))
    }

    pub(super) fn key(&self, index: SubtaskIndex) -> Key {
        let node = self.node(index);
        Key::new(node.spec.priority, node.rank, index)
    }

    pub(super) fn next_fence(&self) -> Fence {
        Fence(self.slots.len() as u64 + 1)
    }
}

/// Returns the milliseconds from `a` to `b`, 0 when `b` is not after `a`.
pub(super) fn millis_between(a: Timestamp, b: Timestamp) -> u64 {
    u64::try_from(b.as_millisecond().saturating_sub(a.as_millisecond())).unwrap_or(0)
}

/// Returns `at` + `ms`, saturating at the end of time.
pub(crate) fn after(at: Timestamp, ms: u64) -> Timestamp {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    at.as_millisecond()
        .checked_add(ms)
        .and_then(|_| at.checked_add(std::time::Duration::from_millis(ms.unsigned_abs())).ok())
        .unwrap_or(Timestamp::MAX)
}
