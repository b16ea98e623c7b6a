//! What can be asked of a run, and how it answers.

use std::sync::Arc;

use jiff::Timestamp;
use orch_core::journal::Blob;
use orch_core::learned::Priors;
use orch_core::{
    AggregationResult, CancelReason, DecompositionPlan, Digest, Epoch, Event, Failure, Fence,
    Intervention, LockName, LossCause, RequestKey, RoutingNote, Seq, StoredResult, Subtask,
    SubtaskId, SubtaskIndex, Token, Usage, WorkerName,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::AttemptKind;

/// Something asked of a run.
#[derive(Debug, Clone)]
pub(crate) enum Command {
    /// Adopt a plan that is valid as a whole.
    AdoptPlan {
        /// The plan.
        plan: Arc<DecompositionPlan>,
        /// The last event that its maker had seen.
        base_seq: Seq,
        /// Subtasks that it replaces.
        retire: Vec<SubtaskIndex>,
        /// What earlier runs let this one expect.
        priors: Priors,
    },
    /// No plan could be made.
    FailPlan {
        /// Why, one sentence each.
        errors: Vec<String>,
    },
    /// Give a ready subtask to a worker.
    Start(Start),
    /// A result or a failure of an attempt.
    Report(Report),
    /// Pull workers want work.
    Claim(Claim),
    /// A pull worker still works.
    Heartbeat {
        /// The attempt.
        fence: Fence,
        /// Its secret.
        token: Token,
    },
    /// The clock has jumped: live leases get one fresh interval.
    ExtendLeases,
    /// Attempts are known to be dead through no fault of their own.
    Lose {
        /// The attempts.
        fences: Vec<Fence>,
        /// How.
        cause: LossCause,
    },
    /// What a stopped attempt had to say is kept, though it counts for nothing; [`Lose`](Self::Lose) or [`Close`](Self::Close)
    /// follows.
    Keep(Report),
    /// A stopped attempt of a cancelled run, or one that another has overtaken, is known to be over.
    Close {
        /// The attempt.
        fence: Fence,
    },
    /// The failure handler's answer: try again.
    Retry {
        /// The subtask.
        subtask: SubtaskIndex,
        /// Not before.
        until: Timestamp,
        /// By whom.
        worker: Option<WorkerName>,
        /// Why.
        reason: String,
        /// What goes with it.
        intervention: Option<Intervention>,
    },
    /// The failure handler's answer: it has failed. With a `failure` also for a subtask that nobody can do.
    GiveUp {
        /// The subtask.
        subtask: SubtaskIndex,
        /// Why it failed, when no attempt did.
        failure: Option<Failure>,
        /// Why it is not tried again.
        reason: String,
    },
    /// Stop for now.
    Suspend {
        /// Why, in a few words.
        reason: String,
    },
    /// Go on, under a new owner.
    Resume {
        /// The owner's epoch.
        epoch: Epoch,
    },
    /// End early.
    Cancel {
        /// Why.
        reason: CancelReason,
        /// More about it.
        detail: String,
    },
    /// All is over: here is the output, or why there is none.
    End {
        /// What the aggregation made.
        outcome: Outcome,
    },
    /// Time has passed.
    Tick,
}

/// What an aggregation made.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// An output; with the blob that holds it when it is large, its own output is then null.
    Output(Box<AggregationResult>, Option<Blob>),
    /// None.
    Failed(String),
}

/// Gives a ready subtask to a worker.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    /// The subtask.
    pub subtask: SubtaskIndex,
    /// The worker.
    pub worker: WorkerName,
    /// Managed or offered.
    pub kind: AttemptKind,
    /// The attempt's secret.
    pub token: Token,
    /// How long the attempt may take when it is managed, in milliseconds.
    pub timeout_ms: u64,
    /// The digest of the worker's card.
    pub card: Digest,
    /// Why this worker.
    pub route: Option<Box<RoutingNote>>,
}

/// A result or a failure of an attempt.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    /// The subtask that the reporter names; a managed attempt names none.
    pub subtask: Option<SubtaskId>,
    /// The attempt; may be left out while exactly one is open.
    pub attempt: Option<(Fence, Token)>,
    /// The digest of what was reported.
    pub digest: Digest,
    /// What was reported.
    pub body: Arc<StoredResult>,
    /// The bytes behind `body.blob`.
    pub blob: Option<Blob>,
    /// Set when the report is a failure, or a gate was not passed.
    pub failure: Option<Failure>,
    /// What was used.
    pub usage: Option<Usage>,
    /// The reporter's name for the request.
    pub request_key: Option<RequestKey>,
}

/// Pull workers want work: what they get is written down at once.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    /// What they want, decided in this order: each sees what those before it got.
    pub wants: Vec<Want>,
    /// Locks that other runs hold: what needs them cannot be claimed now.
    pub foreign_locks: Vec<LockName>,
    /// The claimer's name for the request: the same key again gets the same attempts, as far as they are open.
    pub request_key: Option<RequestKey>,
}

/// A pull worker wants a subtask.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Want {
    /// The worker.
    pub worker: WorkerName,
    /// The subtask; when absent the best that was offered to the worker, or that a worker of its name has lost.
    pub subtask: Option<SubtaskId>,
    /// The most attempts that the worker may hold in this run at once, this one included.
    pub slots: u32,
    /// The digest of the worker's card, when the process knows the worker.
    pub(crate) card: Option<Digest>,
    /// The secret of a new attempt, should one be needed.
    pub(crate) token: Token,
}

impl Want {
    /// Wants any subtask that was offered to `worker`, which holds no other.
    pub fn new(worker: impl Into<WorkerName>) -> Self {
        Self { worker: worker.into(), subtask: None, slots: 1, card: None, token: Token(0) }
    }

    /// Wants this subtask.
    #[must_use]
    pub fn subtask(mut self, subtask: impl Into<Option<SubtaskId>>) -> Self {
        self.subtask = subtask.into();
        self
    }

    /// Sets how many attempts the worker may hold.
    #[must_use]
    pub fn slots(mut self, slots: u32) -> Self {
        self.slots = slots;
        self
    }

    /// Sets the secret of a new attempt.
    #[must_use]
    pub(crate) fn token(mut self, token: Token) -> Self {
        self.token = token;
        self
    }
}

/// What follows from a command.
#[derive(Debug, Default)]
pub(crate) struct Decided {
    /// What happened; nothing when the command only asked.
    pub events: Vec<Event>,
    /// The answer to the caller.
    pub answer: Answer,
    /// Blobs that the events name.
    pub blobs: Vec<Blob>,
}

impl Decided {
    /// Only events.
    pub(crate) fn events(events: Vec<Event>) -> Self {
        Self { events, ..Self::default() }
    }

    /// Events and an answer.
    pub(crate) fn answered(events: Vec<Event>, answer: Answer) -> Self {
        Self { events, answer, blobs: Vec::new() }
    }
}

/// The answer to a command.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum Answer {
    /// Done.
    #[default]
    Done,
    /// To a report.
    Report(ReportAnswer),
    /// To a claim: what was got of what was wanted; nothing when there is nothing to do at the moment.
    Claim(Vec<Claimed>),
    /// To a heartbeat: when the lease now ends.
    Lease(Timestamp),
    /// To a cancel: whether this is what ends the run.
    Cancelling(bool),
}

/// The answer to a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum ReportAnswer {
    /// The result is accepted, or the failure taken note of.
    Accepted,
    /// The result is stored; it is still being checked.
    Received,
    /// The same was reported before; `first` was the answer.
    Duplicate {
        /// The first answer.
        first: Box<ReportAnswer>,
    },
    /// The attempt is over, or never was; the report is kept as evidence.
    Stale,
    /// The result is stored, but it will not do.
    Rejected {
        /// Why, in a sentence.
        reason: String,
    },
}

/// A claimed attempt.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Claimed {
    /// The subtask.
    pub subtask: Arc<Subtask>,
    /// Who holds it.
    pub worker: WorkerName,
    /// The attempt.
    pub fence: Fence,
    /// Its secret.
    pub token: Token,
    /// When the lease ends.
    pub lease_until: Timestamp,
}

/// Why a command was refused. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The run is over.
    #[error("run {run} has ended")]
    Ended {
        /// The run.
        run: orch_core::RunId,
    },
    /// The run does not exist.
    #[error("there is no run {run}")]
    NoRun {
        /// The run.
        run: orch_core::RunId,
    },
    /// The run is being cancelled or is suspended: nothing new starts.
    #[error("nothing new starts: the run is {phase}")]
    NotActive {
        /// Where it stands.
        phase: orch_core::RunPhase,
    },
    /// There is no such subtask.
    #[error("there is no subtask `{subtask}`{}", .nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    NoSubtask {
        /// The name that was given.
        subtask: String,
        /// The subtask with the nearest name.
        nearest: Option<String>,
    },
    /// The subtask is not one that can be started or claimed now.
    #[error("subtask `{subtask}` is {status}, not ready")]
    NotReady {
        /// The subtask.
        subtask: SubtaskId,
        /// Where it stands.
        status: orch_core::SubtaskPhase,
    },
    /// A cap, a lock, the concurrency limit or the budget does not allow it now.
    #[error("subtask `{subtask}` cannot start now: {why}")]
    Blocked {
        /// The subtask.
        subtask: SubtaskId,
        /// What is in the way.
        why: super::Blocked,
    },
    /// The report names no attempt, and not exactly one is open.
    #[error("subtask `{subtask}` has {open} open attempts: name one")]
    WhichAttempt {
        /// The subtask.
        subtask: SubtaskId,
        /// How many are open.
        open: usize,
    },
    /// The attempt is over or never was.
    #[error("attempt {fence} is not open")]
    NotOpen {
        /// The attempt.
        fence: Fence,
    },
    /// A policy's answer is no answer to an open question.
    #[error("{question} is not open any more")]
    NotAsked {
        /// The question.
        question: &'static str,
    },
    /// The plan does not fit the run as it is now.
    #[error("the plan is refused: {0}")]
    Plan(String),
    /// A value lies so deep that no store could read it again.
    #[error(
        "{what} has more than {} lists and maps in each other; make it flatter",
        orch_core::MAX_NESTING
    )]
    TooDeep {
        /// Which value, in words.
        what: String,
    },
    /// The subtask's constraints do not admit the worker.
    #[error("worker `{worker}` may not do subtask `{subtask}`: {why}")]
    NotAdmitted {
        /// The worker.
        worker: WorkerName,
        /// The subtask.
        subtask: SubtaskId,
        /// Which constraint is in the way.
        why: &'static str,
    },
    /// The run's events cannot be read: a later version wrote them, or they are damaged.
    #[error("run {run} cannot be read: {reason}")]
    Unreadable {
        /// The run.
        run: orch_core::RunId,
        /// Why not.
        reason: String,
    },
    /// The worker holds as many attempts as it may.
    #[error("worker `{worker}` holds {held} attempts and may hold {slots}")]
    NoSlot {
        /// The worker.
        worker: WorkerName,
        /// How many it holds.
        held: u32,
        /// How many it may hold.
        slots: u32,
    },
    /// The store failed; whether the command took effect is not known: ask again.
    #[error("the journal could not be read or written; try again")]
    Retry,
    /// Another process owns the run.
    #[error("the run is owned by {owner}")]
    Owned {
        /// The owner's name.
        owner: String,
    },
    /// The supervisor is shutting down.
    #[error("the supervisor is shutting down")]
    ShuttingDown,
}
