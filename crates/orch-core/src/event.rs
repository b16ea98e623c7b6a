//! What can happen in a run: the stored format, version 2.
//!
//! A run's state is a fold over these; everything that must survive a crash is in them, and nothing else is. Attempts are
//! named by fence, subtasks by their index in the run's arena.
//!
//! A field that this version does not know is passed over wherever it stands in an event, so that a later version may add
//! fields; a kind of event or a word that it does not know makes the run unreadable for it.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::learned::Priors;
use crate::lenient;
use crate::number::or_nan;
use crate::{
    AttemptClosedReason, BlobRef, CancelReason, ComplexTask, Conflict, DecompositionPlan, Digest,
    EndStatus, Epoch, Evidence, Failure, Fence, Intervention, InterventionSubject, LossCause,
    Origin, RequestKey, ResultSource, RoutingNote, RunSettings, Seq, SkipReason, StoredResult,
    SubtaskIndex, Token, Usage, WorkerName,
};

/// The version that is stored with every event written by this crate.
pub const VOCABULARY_VERSION: u16 = 2;

/// One fact about a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The run exists.
    RunSubmitted {
        /// What is asked for.
        #[serde(deserialize_with = "lenient::read")]
        task: Arc<ComplexTask>,
        /// How it is to be run.
        #[serde(deserialize_with = "lenient::read")]
        settings: Arc<RunSettings>,
        /// A plan that came with the task.
        #[serde(
            default,
            deserialize_with = "lenient::read",
            skip_serializing_if = "Option::is_none"
        )]
        given: Option<Arc<DecompositionPlan>>,
        /// What is drawn for the run follows from it; secrets do not.
        seed: u64,
        /// Where the run comes from.
        #[serde(default, skip_serializing_if = "Origin::is_empty")]
        origin: Arc<Origin>,
    },
    /// The run has a plan, or a revised one.
    PlanAdopted {
        /// 1 for the first plan.
        revision: u32,
        /// The last event that the plan's maker had seen.
        base_seq: Seq,
        /// Subtasks that are no longer wanted.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        retire: Vec<SubtaskIndex>,
        /// The new subtasks; they take the next indexes in this order.
        #[serde(deserialize_with = "lenient::read")]
        add: Arc<DecompositionPlan>,
        /// What earlier runs let this one expect.
        #[serde(default, skip_serializing_if = "Priors::is_empty")]
        priors: Priors,
    },
    /// A pull worker may claim a subtask, or report on it without a claim.
    AttemptOffered {
        /// The subtask.
        subtask: SubtaskIndex,
        /// The attempt's number.
        fence: Fence,
        /// The attempt's secret.
        token: Token,
        /// The worker.
        worker: WorkerName,
        /// The digest of the worker's card; `None` when the process that recorded it does not know the worker.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        card: Option<Digest>,
        /// When the offer ends.
        until: Timestamp,
        /// Why this worker.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        route: Option<Box<RoutingNote>>,
    },
    /// A worker was given, or has claimed, a subtask.
    AttemptStarted {
        /// The subtask.
        subtask: SubtaskIndex,
        /// The attempt's number; that of the offer when an offer was claimed.
        fence: Fence,
        /// The attempt's secret.
        token: Token,
        /// The worker.
        worker: WorkerName,
        /// The digest of the worker's card; `None` when the process that recorded it does not know the worker.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        card: Option<Digest>,
        /// Whether the worker claimed it, so that the engine does not run it.
        #[serde(default, skip_serializing_if = "is_false")]
        claimed: bool,
        /// When it times out (managed) or its lease ends (claimed).
        until: Timestamp,
        /// What is set aside for its cost, in millionths of a US dollar.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reserved_micro_usd: Option<u64>,
        /// The claimer's name for the request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request_key: Option<RequestKey>,
        /// Why this worker.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        route: Option<Box<RoutingNote>>,
    },
    /// An attempt has more time: a claimed one gave a sign of life, or the clock has jumped.
    LeaseExtended {
        /// The attempt.
        fence: Fence,
        /// When the lease now ends.
        until: Timestamp,
    },
    /// A result came and is stored; whether it is accepted is still open.
    ResultReceived {
        /// The subtask.
        subtask: SubtaskIndex,
        /// The attempt.
        fence: Fence,
        /// The digest of the report.
        digest: Digest,
        /// The result.
        result: Arc<StoredResult>,
        /// Whether it came after the attempt's lease had lapsed.
        #[serde(default, skip_serializing_if = "is_false")]
        late: bool,
        /// The reporter's name for the request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request_key: Option<RequestKey>,
    },
    /// The received result is accepted: happens once per subtask.
    SubtaskCompleted {
        /// The subtask.
        subtask: SubtaskIndex,
        /// Where the result comes from.
        source: ResultSource,
    },
    /// An attempt failed.
    AttemptFailed {
        /// The subtask.
        subtask: SubtaskIndex,
        /// The attempt.
        fence: Fence,
        /// Why.
        failure: Box<Failure>,
        /// The digest of the report, when there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<Digest>,
        /// What the attempt used.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<Usage>,
        /// The reporter's name for the request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request_key: Option<RequestKey>,
    },
    /// An attempt is known to be dead through no fault of its own.
    AttemptLost {
        /// The subtask.
        subtask: SubtaskIndex,
        /// The attempt.
        fence: Fence,
        /// How it was lost.
        cause: LossCause,
    },
    /// An attempt is no longer wanted.
    AttemptClosed {
        /// The subtask.
        subtask: SubtaskIndex,
        /// The attempt.
        fence: Fence,
        /// Why.
        reason: AttemptClosedReason,
    },
    /// A failed subtask will be tried again.
    RetryScheduled {
        /// The subtask.
        subtask: SubtaskIndex,
        /// 1 for the first retry.
        retry: u32,
        /// Not before.
        until: Timestamp,
        /// By whom; `None` lets the router choose.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        worker: Option<WorkerName>,
        /// Why, in a sentence.
        reason: String,
    },
    /// A subtask has failed for good.
    SubtaskFailed {
        /// The subtask.
        subtask: SubtaskIndex,
        /// The last failure.
        failure: Box<Failure>,
        /// Why it is not tried again, in a sentence.
        reason: String,
    },
    /// A subtask will not start.
    SubtaskSkipped {
        /// The subtask.
        subtask: SubtaskIndex,
        /// Why not.
        because: SkipReason,
    },
    /// The engine intervened.
    InterventionMade {
        /// What it intervened in.
        subject: InterventionSubject,
        /// What was done and why.
        intervention: Box<Intervention>,
    },
    /// It turned out whether the last intervention helped.
    InterventionJudged {
        /// The subtask.
        subtask: SubtaskIndex,
        /// Whether the next attempt succeeded.
        helped: bool,
    },
    /// An adaptive run changed how many attempts it makes at once.
    ConcurrencyLimitChanged {
        /// The new limit.
        concurrency_limit: u32,
    },
    /// Something was used, or seen, that counts though it changes nothing: a report that came too late, for example.
    UsageNoted {
        /// The attempt that it is about, when there ever was such an attempt.
        fence: Fence,
        /// What was used.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<Usage>,
        /// What was refused, kept to be looked at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Box<Evidence>>,
    },
    /// Nothing goes on until somebody resumes the run.
    RunSuspended {
        /// Why, in a few words.
        reason: String,
    },
    /// The run goes on under a new owner.
    RunResumed {
        /// The owner's epoch.
        epoch: Epoch,
    },
    /// The run is to end: nothing new starts.
    CancelRequested {
        /// Why.
        reason: CancelReason,
        /// Until when reports of open attempts are accepted.
        until: Timestamp,
        /// More about it, in a sentence.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        detail: String,
    },
    /// The run is over; nothing follows this event.
    RunEnded {
        /// How.
        status: EndStatus,
        /// The aggregated output; null when it is in `blob`.
        output: Value,
        /// Where the aggregated output is when it is large.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        blob: Option<BlobRef>,
        /// Conflicts that the aggregation resolved.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        conflicts: Vec<Conflict>,
        /// How sure the aggregation is, 0 to 1.
        #[serde(deserialize_with = "or_nan")]
        confidence: f64,
        /// What went wrong in aggregation or planning, one sentence each.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        errors: Vec<String>,
    },
}

fn is_false(value: &bool) -> bool {
    !*value
}

impl Event {
    /// All that [`Event::dotted_type`] can return.
    pub const DOTTED_TYPES: &[&str] = &[
        "orchestration.submitted",
        "orchestration.plan_adopted",
        "subtask.offered",
        "subtask.started",
        "subtask.lease_extended",
        "subtask.result_received",
        "subtask.completed",
        "subtask.attempt_failed",
        "subtask.attempt_lost",
        "subtask.attempt_closed",
        "subtask.retry_scheduled",
        "subtask.failed",
        "subtask.skipped",
        "convergence.intervention_triggered",
        "convergence.intervention_succeeded",
        "convergence.intervention_failed",
        "orchestration.concurrency_limit_changed",
        "subtask.usage_noted",
        "orchestration.suspended",
        "orchestration.resumed",
        "orchestration.cancel_requested",
        "orchestration.ended",
    ];

    /// Returns the name of the kind of event, as in the stored `type`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RunSubmitted { .. } => "run_submitted",
            Self::PlanAdopted { .. } => "plan_adopted",
            Self::AttemptOffered { .. } => "attempt_offered",
            Self::AttemptStarted { .. } => "attempt_started",
            Self::LeaseExtended { .. } => "lease_extended",
            Self::ResultReceived { .. } => "result_received",
            Self::SubtaskCompleted { .. } => "subtask_completed",
            Self::AttemptFailed { .. } => "attempt_failed",
            Self::AttemptLost { .. } => "attempt_lost",
            Self::AttemptClosed { .. } => "attempt_closed",
            Self::RetryScheduled { .. } => "retry_scheduled",
            Self::SubtaskFailed { .. } => "subtask_failed",
            Self::SubtaskSkipped { .. } => "subtask_skipped",
            Self::InterventionMade { .. } => "intervention_made",
            Self::InterventionJudged { .. } => "intervention_judged",
            Self::ConcurrencyLimitChanged { .. } => "concurrency_limit_changed",
            Self::UsageNoted { .. } => "usage_noted",
            Self::RunSuspended { .. } => "run_suspended",
            Self::RunResumed { .. } => "run_resumed",
            Self::CancelRequested { .. } => "cancel_requested",
            Self::RunEnded { .. } => "run_ended",
        }
    }

    /// Returns the dotted type under which subscribers see the event.
    pub fn dotted_type(&self) -> &'static str {
        match self {
            Self::RunSubmitted { .. } => "orchestration.submitted",
            Self::PlanAdopted { .. } => "orchestration.plan_adopted",
            Self::AttemptOffered { .. } => "subtask.offered",
            Self::AttemptStarted { .. } => "subtask.started",
            Self::LeaseExtended { .. } => "subtask.lease_extended",
            Self::ResultReceived { .. } => "subtask.result_received",
            Self::SubtaskCompleted { .. } => "subtask.completed",
            Self::AttemptFailed { .. } => "subtask.attempt_failed",
            Self::AttemptLost { .. } => "subtask.attempt_lost",
            Self::AttemptClosed { .. } => "subtask.attempt_closed",
            Self::RetryScheduled { .. } => "subtask.retry_scheduled",
            Self::SubtaskFailed { .. } => "subtask.failed",
            Self::SubtaskSkipped { .. } => "subtask.skipped",
            Self::InterventionMade { .. } => "convergence.intervention_triggered",
            Self::InterventionJudged { helped: true, .. } => "convergence.intervention_succeeded",
            Self::InterventionJudged { helped: false, .. } => "convergence.intervention_failed",
            Self::ConcurrencyLimitChanged { .. } => "orchestration.concurrency_limit_changed",
            Self::UsageNoted { .. } => "subtask.usage_noted",
            Self::RunSuspended { .. } => "orchestration.suspended",
            Self::RunResumed { .. } => "orchestration.resumed",
            Self::CancelRequested { .. } => "orchestration.cancel_requested",
            Self::RunEnded { .. } => "orchestration.ended",
        }
    }
}
