//! The vocabulary of orch: the types, traits and errors that every other crate shares.
//!
//! A [`ComplexTask`] is split by a [`Decomposer`] into a [`DecompositionPlan`], a graph of [`Subtask`]s. A [`Router`] gives
//! each to a [`Worker`], a [`FailureHandler`] decides what follows a failure, an [`Aggregator`] makes one output of many
//! [`WorkerResult`]s. What happens in a run is a list of [`Event`]s in a [`Journal`].
//!
//! **Invariants:** no I/O, no async runtime, no clock and no randomness of its own: times and draws come in as values.
//!
//! ```
//! use orch_core::{DecompositionPlan, Subtask};
//!
//! let plan = DecompositionPlan::new([
//!     Subtask::new("fetch", "Fetch the page", "web"),
//!     Subtask::new("sum-up", "Sum it up", "text").with_dependencies(["fetch"]),
//! ]);
//! assert!(plan.validate_shape().is_empty());
//! ```

mod about;
mod aggregate;
mod card;
mod conflict;
mod context;
mod convergence;
mod digest;
mod event;
mod event_types;
mod exact;
mod failure;
mod gate;
mod graph;
mod ids;
pub mod journal;
pub mod learned;
mod lenient;
mod memory;
mod nesting;
mod number;
mod origin;
mod plan;
mod printable;
mod process;
mod reading;
mod recall;
mod replicas;
mod result;
mod route;
mod run_view;
mod scope;
mod scopes;
mod setters;
mod settings;
mod status;
mod stop;
mod task;
mod task_type;
#[cfg(feature = "testing")]
pub mod testing;
mod validate;
mod words;
mod worker;
mod worker_memory;

pub use about::{About, AttemptChange};
pub use aggregate::{
    AggregateError, AggregationInput, AggregationResult, AggregationStrategy, Aggregator,
};
pub use card::WorkerCard;
pub use conflict::{Claimant, Conflict, DecidedBy, Resolution};
pub use context::{Absence, AttemptInfo, WorkerContext};
pub use convergence::{Intervention, InterventionEngine, InterventionType, Issue, IssueKind};
pub use digest::{BlobRef, Digest};
pub use event::{Event, VOCABULARY_VERSION};
pub use event_types::{
    AttemptClosedReason, CancelReason, EndStatus, Evidence, EvidenceKind, InterventionSubject,
    LossCause, PlanSource, ResultSource, RoutingNote, SkipReason, StoredResult,
};
pub use exact::{JsonError, NumberFault, read_json};
pub use failure::{
    Cause, Failure, FailureContext, FailureDecision, FailureEvent, FailureHandler, FailureType,
    MAX_LAST_LINE, RetryPolicy, last_line,
};
pub use gate::{Gate, GateVerdict, QualityGate, check_gates};
pub use ids::{
    Epoch, Fence, LockName, OwnerId, ProjectId, RequestKey, RunId, Seq, SubtaskId, SubtaskIndex,
    TaskId, Token, WorkerName,
};
pub use journal::{Journal, Recorded};
pub use memory::{
    DecompositionHeuristic, MemorySlice, OrchestrationOutcome, RoutingHeuristic, RoutingRecord,
};
pub use nesting::{MAX_NESTING, has_nested_too_deep, is_nested_too_deep};
pub use origin::{Actor, Client, Origin, ParentAttempt, is_traceparent};
pub use plan::{
    DecomposeError, Decomposer, DecompositionPlan, DecompositionRequest, DecompositionStrategy,
};
pub use printable::{printable, printable_json, printable_lines};
pub use process::{ProcessLog, Reaper};
pub use reading::{FAILED_PREFIX, FailureSign, Reading, read_report};
pub use recall::{Memory, MemorySnapshot};
pub use result::{Artifact, MetadataError, OrchestrationResult, Usage, WorkerResult};
pub use route::{
    OutcomeCounts, RouteError, Router, RoutingContext, RoutingDecision, RoutingStrategy,
};
pub use run_view::{AttemptEnd, AttemptKind, AttemptView, RunView, SubtaskView};
pub use scope::{MemoryScope, ScopeError, ScopeRule};
pub use scopes::Scopes;
pub use settings::{AggregationSettings, Budget, ExecutionStrategy, RunSettings};
pub use status::{
    AttemptStatus, Counts, LockWait, RunPhase, RunStatus, SubtaskPhase, SubtaskStatus, WorkerStatus,
};
pub use stop::StopSignal;
pub use task::{ComplexTask, Constraints, Subtask};
pub use task_type::infer_task_type;
pub use validate::{MAX_NAME_LENGTH, NameFault, PlanIssue, PlanLimits, Unserved};
pub use words::{UnknownWord, nearest};
pub use worker::{Fit, Standing, Worker, WorkerCapability, WorkerError, WorkerKind, could_do, fit};
pub use worker_memory::{LessonError, MAX_LESSON_LENGTH, MAX_LESSONS, WorkerMemory, check_lesson};

/// A JSON object, in the order in which its keys were written.
pub type JsonMap = serde_json::Map<String, serde_json::Value>;

/// An error of a part that orch does not know, kept as the source of one that it does.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
