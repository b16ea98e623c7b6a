//! The one contract of everything that does work.

use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::setters::setters;
use crate::words::words;
use crate::{
    BoxError, Cause, Constraints, Digest, Failure, JsonMap, MemoryScope, Subtask, WorkerContext,
    WorkerName, WorkerResult,
};

/// What a worker can do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct WorkerCapability {
    /// The capability's name; constraints' `tags` refer to it.
    pub name: String,
    /// What it is good for, in words.
    #[serde(default)]
    pub description: String,
    /// The types of subtask that it handles; `*` stands for every type.
    #[serde(default)]
    pub task_types: Vec<String>,
    /// How good the worker is at it, 0 to 1.
    #[serde(default = "best")]
    pub proficiency: f64,
}

fn best() -> f64 {
    1.0
}

impl WorkerCapability {
    /// Makes a capability of full proficiency.
    pub fn new<T: Into<String>>(
        name: impl Into<String>,
        task_types: impl IntoIterator<Item = T>,
    ) -> Self {
        Self {
            name: name.into(),
            description: String::new(),
            task_types: task_types.into_iter().map(Into::into).collect(),
            proficiency: best(),
        }
    }

    /// Tells whether the capability covers `task_type`.
    pub fn covers(&self, task_type: &str) -> bool {
        self.task_types.iter().any(|t| t == task_type || t == "*")
    }
}

setters! { WorkerCapability {
    /// Sets what it is good for.
    with_description => description: String,
    /// Sets how good the worker is at it, 0 to 1.
    with_proficiency => proficiency: f64,
} }

words! {
    /// How a worker gets its work.
    pub enum WorkerKind as "worker kind" {
        /// The engine calls [`Worker::execute`].
        Managed = "managed",
        /// The worker claims and reports by itself; the engine only offers.
        Pull = "pull",
    }
}

/// How a worker stands at the moment, as far as a subtask's type is concerned.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Standing {
    /// The share of earlier attempts at this type that succeeded, 0 to 1; 1 when there were none.
    pub success: f64,
    /// How busy the worker is, 0 (idle) to 1 (full).
    pub load: f64,
    /// Whether the constraints name this worker and no other may do it.
    pub required: bool,
}

impl Standing {
    /// A worker without history or load: what it can do, apart from whether it should.
    pub const IDLE: Self = Self { success: 1.0, load: 0.0, required: false };

    /// Makes a standing.
    pub fn new(success: f64, load: f64) -> Self {
        Self { success, load, required: false }
    }
}

setters! { Standing {
    /// Sets whether the constraints name this worker and no other may do it.
    with_required => required: bool,
} }

/// Something that executes subtasks: a closure, a program, an agent, a remote service.
///
/// The engine calls `prepare`, then `execute`, then `cleanup` for every attempt; a failing `prepare` fails the attempt, and
/// `cleanup` runs whatever happened. A panic in any of them fails the attempt only.
///
/// ```
/// use orch_core::{
///     Standing, Subtask, Worker, WorkerCapability, WorkerContext, WorkerError, WorkerName, WorkerResult, fit,
/// };
///
/// struct Shouter { name: WorkerName, capabilities: Vec<WorkerCapability> }
///
/// #[async_trait::async_trait]
/// impl Worker for Shouter {
///     fn name(&self) -> &WorkerName { &self.name }
///     fn capabilities(&self) -> &[WorkerCapability] { &self.capabilities }
///     async fn execute(&self, context: WorkerContext) -> Result<WorkerResult, WorkerError> {
///         let output = context.subtask.description.to_uppercase();
///         Ok(WorkerResult::success(context.subtask.id.clone(), self.name.clone(), output.into()))
///     }
/// }
///
/// let capabilities = vec![WorkerCapability::new("shout", ["text"]).with_proficiency(0.9)];
/// let shouter = Shouter { name: "shouter".into(), capabilities };
/// let fits = |task_type: &str| fit(&shouter, &Subtask::new("a", "hello", task_type), &Standing::IDLE).score;
/// assert_eq!((fits("text"), fits("music")), (0.9, 0.0));
/// ```
#[async_trait]
pub trait Worker: Send + Sync + 'static {
    /// Returns the name, unique within a supervisor.
    fn name(&self) -> &WorkerName;

    /// Returns what the worker can do.
    fn capabilities(&self) -> &[WorkerCapability];

    /// Returns the names of the capabilities.
    fn capability_names(&self) -> Vec<&str> {
        self.capabilities().iter().map(|c| c.name.as_str()).collect()
    }

    /// Returns what the worker may learn and read, `None` for the default scope.
    fn scope(&self) -> Option<&MemoryScope> {
        None
    }

    /// Returns how many tokens of memory it wants to be given with every attempt: as
    /// [`memory_slice`](WorkerContext::memory_slice), or, if it fetches its work itself, in its prompt. Nothing is looked for when
    /// it is 0.
    fn memory_tokens(&self) -> u32 {
        0
    }

    /// Returns how the worker gets its work.
    fn kind(&self) -> WorkerKind {
        WorkerKind::Managed
    }

    /// Returns the digest of what makes the worker do what it does: its prompt, its model, its program. `None` when there is
    /// nothing of the kind, or nobody knows it. It is part of the worker's [card](crate::WorkerCard).
    fn content(&self) -> Option<Digest> {
        None
    }

    /// Returns how well the worker can do `subtask` now, 0 (not at all) to 1.
    ///
    /// The default is type match x proficiency x history x free capacity, for the best matching capability. Callers
    /// go through [`fit`], which takes a value that is no number or out of range as 0 and reports it.
    fn can_handle(&self, subtask: &Subtask, standing: &Standing) -> f64 {
        let capabilities = self.capabilities().iter().filter(|c| c.covers(&subtask.task_type));
        // In the total order NaN is the greatest, so that it comes out and `fit` reports it.
        let best = capabilities.map(|c| c.proficiency).max_by(f64::total_cmp).unwrap_or(0.0);
        best * standing.success * (1.0 - standing.load.clamp(0.0, 1.0))
    }

    /// Returns how many attempts it can make at once.
    fn max_concurrency(&self) -> NonZeroU32 {
        const DEFAULT: NonZeroU32 = NonZeroU32::new(8).unwrap();
        DEFAULT
    }

    /// Returns how long one attempt may take unless the subtask says; `None` for the run's default.
    fn timeout(&self) -> Option<Duration> {
        None
    }

    /// Gets ready for an attempt.
    ///
    /// # Errors
    /// When the attempt cannot be made; it then counts as failed.
    async fn prepare(&self, _context: &WorkerContext) -> Result<(), WorkerError> {
        Ok(())
    }

    /// Makes one attempt.
    ///
    /// # Errors
    /// When the attempt failed; the cause decides whether a retry makes sense.
    async fn execute(&self, context: WorkerContext) -> Result<WorkerResult, WorkerError>;

    /// Cleans up after an attempt, also after a cancelled one; cannot change the result.
    async fn cleanup(&self, _result: &WorkerResult) {}
}

/// Why an attempt failed. Match on `cause` to decide what to do next.
///
/// ```
/// use orch_core::{Cause, WorkerError};
///
/// let source = std::io::Error::other("connection reset");
/// let error = WorkerError::new(Cause::Unavailable, "cannot reach the model").with_source(Some(source.into()));
/// assert!(error.cause.is_retryable());
/// assert_eq!(error.into_failure().message, "cannot reach the model: connection reset");
/// ```
#[derive(Debug, Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct WorkerError {
    /// What kind of failure it is.
    pub cause: Cause,
    /// What happened, in words.
    pub message: String,
    /// When the other side asked to be left alone for a while.
    pub retry_after: Option<Duration>,
    /// What was seen, such as stderr and exit code.
    pub evidence: JsonMap,
    /// The error behind it.
    #[source]
    pub source: Option<BoxError>,
}

impl WorkerError {
    /// Makes an error with a cause and a message.
    pub fn new(cause: Cause, message: impl Into<String>) -> Self {
        Self {
            cause,
            message: message.into(),
            retry_after: None,
            evidence: JsonMap::new(),
            source: None,
        }
    }

    /// Returns what the journal keeps of it: the message with all causes behind it.
    pub fn into_failure(self) -> Failure {
        let mut message = self.message;
        let mut source = self.source.as_ref().map(|s| &**s as &(dyn std::error::Error + 'static));
        while let Some(error) = source {
            message.push_str(": ");
            message.push_str(&error.to_string());
            source = error.source();
        }
        Failure::new(self.cause, message)
            .with_retry_after_ms(
                self.retry_after.map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)),
            )
            .with_evidence(self.evidence)
    }
}

setters! { WorkerError {
    /// Sets how long the other side asked to be left alone.
    with_retry_after => retry_after: Option<Duration>,
    /// Sets what was seen.
    with_evidence => evidence: JsonMap,
    /// Sets the error behind it.
    with_source => source: Option<BoxError>,
} }

/// How well a worker fits a subtask, after checking what [`Worker::can_handle`] said.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Fit {
    /// 0 (not at all) to 1.
    pub score: f64,
    /// What `can_handle` returned when that was no number or out of range; `score` is then 0.
    pub invalid: Option<f64>,
}

impl Fit {
    /// Makes the fit of a worker that gave this score; one that is no number or not in 0 to 1 is invalid.
    pub fn new(score: f64) -> Self {
        if (0.0..=1.0).contains(&score) {
            Self { score, invalid: None }
        } else {
            Self { score: 0.0, invalid: Some(score) }
        }
    }
}

/// Tells whether `worker` may do `subtask` under these constraints and could do it if it were idle.
pub fn could_do(worker: &dyn Worker, subtask: &Subtask, constraints: Option<&Constraints>) -> bool {
    let required = constraints.is_some_and(|constraints| constraints.requires(worker.name()));
    constraints.is_none_or(|constraints| constraints.admits(worker))
        && fit(worker, subtask, &Standing::IDLE.with_required(required)).score > 0.0
}

/// Asks `worker` how well it fits `subtask`; a value that is no number or not in 0 to 1 counts as 0 and is reported.
pub fn fit(worker: &dyn Worker, subtask: &Subtask, standing: &Standing) -> Fit {
    // A worker that panics here has nothing of ours in its hands; it is as good as one that answers nonsense.
    let score = catch_unwind(AssertUnwindSafe(|| worker.can_handle(subtask, standing)));
    Fit::new(score.unwrap_or(f64::NAN))
}
