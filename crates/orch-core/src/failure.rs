//! Failures, and what follows from them.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::setters::setters;
use crate::words::words;
use crate::{ComplexTask, Intervention, JsonMap, RoutingContext, Subtask, SubtaskId, WorkerName};

words! {
    /// The four kinds of failure.
    pub enum FailureType as "failure type" {
        /// It took too long.
        Timeout = "timeout",
        /// It went wrong.
        Error = "error",
        /// It was done, but not well enough.
        Quality = "quality",
        /// Nobody was there to do it.
        Unavailable = "unavailable",
    }
}

words! {
    /// What exactly went wrong: decides whether a retry makes sense.
    pub enum Cause as "cause" {
        /// The attempt ran into its time limit.
        Timeout = "timeout",
        /// The deadline of the subtask or task has passed.
        Deadline = "deadline",
        /// The other side asked for a slower pace.
        RateLimit = "rate_limit",
        /// Not allowed: no retry.
        Auth = "auth",
        /// The input cannot be worked on: no retry.
        InvalidInput = "invalid_input",
        /// The worker reported that it failed.
        Reported = "reported",
        /// The worker panicked or its process died.
        Crash = "crash",
        /// The output could not be read.
        BadOutput = "bad_output",
        /// More output than the cap allows.
        OutputLimit = "output_limit",
        /// A quality gate was not passed.
        Gate = "gate",
        /// The lease ran out.
        LeaseLost = "lease_lost",
        /// The attempt's supervisor went away.
        Lost = "lost",
        /// The worker is not there.
        Unavailable = "unavailable",
        /// No worker is able to do it.
        NoWorker = "no_worker",
        /// The budget is used up: no retry.
        Budget = "budget",
        /// The run was cancelled: no retry.
        Cancelled = "cancelled",
        /// A policy (router, failure handler, ...) panicked or answered nonsense.
        Policy = "policy",
    }
}

impl Cause {
    /// Returns the kind of failure that the cause belongs to.
    pub fn failure_type(self) -> FailureType {
        match self {
            Self::Timeout | Self::Deadline => FailureType::Timeout,
            Self::Gate => FailureType::Quality,
            Self::RateLimit | Self::LeaseLost | Self::Lost | Self::Unavailable | Self::NoWorker => {
                FailureType::Unavailable
            }
            Self::Auth
            | Self::InvalidInput
            | Self::Reported
            | Self::Crash
            | Self::BadOutput
            | Self::OutputLimit
            | Self::Budget
            | Self::Cancelled
            | Self::Policy => FailureType::Error,
        }
    }

    /// Tells whether another attempt may have another outcome.
    pub fn is_retryable(self) -> bool {
        match self {
            Self::Auth
            | Self::InvalidInput
            | Self::Budget
            | Self::Cancelled
            | Self::Deadline
            | Self::NoWorker => false,
            Self::Timeout
            | Self::RateLimit
            | Self::Reported
            | Self::Crash
            | Self::BadOutput
            | Self::OutputLimit
            | Self::Gate
            | Self::LeaseLost
            | Self::Lost
            | Self::Unavailable
            | Self::Policy => true,
        }
    }
}

/// The longest part of a line of a program that a message repeats, in characters.
pub const MAX_LAST_LINE: usize = 300;

/// Why an attempt or a subtask failed, as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Failure {
    /// The kind.
    pub failure_type: FailureType,
    /// What exactly.
    pub cause: Cause,
    /// What happened, in words.
    pub message: String,
    /// How long the other side asked to be left alone, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// What was seen.
    #[serde(default, skip_serializing_if = "JsonMap::is_empty")]
    pub evidence: JsonMap,
}

impl Failure {
    /// Makes a failure of the type that `cause` belongs to.
    pub fn new(cause: Cause, message: impl Into<String>) -> Self {
        Self {
            failure_type: cause.failure_type(),
            cause,
            message: message.into(),
            retry_after_ms: None,
            evidence: JsonMap::new(),
        }
    }
}

/// Returns the last line that a program wrote, from the evidence that its attempt left: of `stderr`, or of `stdout` when there is
/// nothing on `stderr`. Blank lines do not count; at most [`MAX_LAST_LINE`] characters.
pub fn last_line(evidence: &JsonMap) -> Option<String> {
    let last = |stream: &str| {
        let text = evidence.get(stream)?.as_str()?;
        let line = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
        Some(line.chars().take(MAX_LAST_LINE).collect())
    };
    last("stderr").or_else(|| last("stdout"))
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}): {}", self.failure_type, self.cause, self.message)
    }
}

setters! { Failure {
    /// Sets how long the other side asked to be left alone, in milliseconds.
    with_retry_after_ms => retry_after_ms: Option<u64>,
    /// Sets what was seen.
    with_evidence => evidence: JsonMap,
} }

/// How often and how soon a failed subtask is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Attempts after the first.
    pub max_retries: u32,
    /// The longest pause before the first retry, in milliseconds.
    pub retry_delay_ms: u64,
    /// Whether the longest pause doubles from retry to retry.
    pub exponential_backoff: bool,
    /// The pause is never longer than this, in milliseconds.
    pub max_delay_ms: u64,
    /// Whether another worker may make the retry.
    pub use_fallback_worker: bool,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_retries: 2,
            retry_delay_ms: 1_000,
            exponential_backoff: true,
            max_delay_ms: 60_000,
            use_fallback_worker: true,
        }
    }
}

setters! { RetryPolicy {
    /// Sets the attempts after the first.
    with_max_retries => max_retries: u32,
    /// Sets the longest pause before the first retry, in milliseconds.
    with_retry_delay_ms => retry_delay_ms: u64,
    /// Sets whether the longest pause doubles.
    with_exponential_backoff => exponential_backoff: bool,
    /// Sets the longest pause of all, in milliseconds.
    with_max_delay_ms => max_delay_ms: u64,
    /// Sets whether another worker may make the retry.
    with_use_fallback_worker => use_fallback_worker: bool,
} }

/// One failure, as a handler sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FailureEvent {
    /// The subtask.
    pub subtask_id: SubtaskId,
    /// The worker that failed.
    pub worker: WorkerName,
    /// The kind of failure.
    pub failure_type: FailureType,
    /// What happened, in words.
    pub error_message: String,
    /// When.
    pub timestamp: Timestamp,
    /// What exactly.
    pub cause: Cause,
    /// How long the other side asked to be left alone, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl FailureEvent {
    /// Makes the event of `failure`.
    pub fn new(
        subtask_id: SubtaskId,
        worker: WorkerName,
        failure: &Failure,
        timestamp: Timestamp,
    ) -> Self {
        Self {
            subtask_id,
            worker,
            failure_type: failure.failure_type,
            error_message: failure.message.clone(),
            timestamp,
            cause: failure.cause,
            retry_after_ms: failure.retry_after_ms,
        }
    }
}

/// What a handler may look at besides the failure.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct FailureContext<'a> {
    /// Failures of this subtask so far, this one included; at least 1.
    pub failures: u32,
    /// Workers that have failed at it, oldest first, this one included.
    pub tried: &'a [WorkerName],
    /// The policy of the run.
    pub policy: &'a RetryPolicy,
    /// Who is there, and how busy.
    pub routing: RoutingContext<'a>,
    /// In [0, 1), drawn for this question; the decision is recorded, never drawn again.
    pub draw: f64,
}

impl<'a> FailureContext<'a> {
    /// Makes a context for the first failure.
    pub fn new(
        policy: &'a RetryPolicy,
        routing: RoutingContext<'a>,
        tried: &'a [WorkerName],
        draw: f64,
    ) -> Self {
        Self { failures: 1, tried, policy, routing, draw }
    }
}

setters! { FailureContext<'_> {
    /// Sets the failures of the subtask so far.
    with_failures => failures: u32,
} }

/// What follows from a failure.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum FailureDecision {
    /// Try again.
    #[non_exhaustive]
    Retry {
        /// After this pause.
        after: Duration,
        /// On this worker; `None` lets the router choose.
        worker: Option<WorkerName>,
        /// Why, in a sentence.
        reason: String,
        /// An intervention that goes with the retry.
        intervention: Option<Intervention>,
    },
    /// The subtask has failed.
    #[non_exhaustive]
    GiveUp {
        /// Why, in a sentence.
        reason: String,
    },
}

impl FailureDecision {
    /// Decides for a retry on whichever worker the router chooses.
    pub fn retry(after: Duration, reason: impl Into<String>) -> Self {
        Self::Retry { after, worker: None, reason: reason.into(), intervention: None }
    }

    /// Decides for a retry on `worker`.
    pub fn retry_on(worker: WorkerName, after: Duration, reason: impl Into<String>) -> Self {
        Self::Retry { after, worker: Some(worker), reason: reason.into(), intervention: None }
    }

    /// Decides against a retry.
    pub fn give_up(reason: impl Into<String>) -> Self {
        Self::GiveUp { reason: reason.into() }
    }

    /// Adds an intervention to a retry; a decision to give up stays as it is.
    #[must_use]
    pub fn with_intervention(self, intervention: Intervention) -> Self {
        match self {
            Self::Retry { after, worker, reason, .. } => {
                Self::Retry { after, worker, reason, intervention: Some(intervention) }
            }
            Self::GiveUp { reason } => Self::GiveUp { reason },
        }
    }
}

/// Decides what follows from failures. Synchronous and pure: the engine records the answer and never asks again.
pub trait FailureHandler: Send + Sync + 'static {
    /// Decides whether `subtask` is tried again, when and by whom.
    fn handle_failure(
        &self,
        failure: &FailureEvent,
        subtask: &Subtask,
        context: &FailureContext<'_>,
    ) -> FailureDecision;

    /// Decides whether the run should end early, given all final failures so far.
    fn should_abort(&self, failures: &[FailureEvent], task: &ComplexTask) -> bool;
}
