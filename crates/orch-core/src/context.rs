//! What a worker is given.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use crate::number::is_zero;
use crate::setters::setters;
use crate::{
    Failure, Fence, JsonMap, MemorySlice, ProcessLog, RunId, StopSignal, Subtask, SubtaskId,
    SubtaskPhase, Token, WorkerMemory, WorkerResult,
};

/// All that a worker gets for one attempt. Its JSON form is what a command worker reads on stdin.
#[derive(Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkerContext {
    /// The work.
    pub subtask: Arc<Subtask>,
    /// The task's context.
    pub parent_context: Arc<JsonMap>,
    /// What memory knows that may help, within a token budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_slice: Option<MemorySlice>,
    /// The accepted results of direct dependencies, in plan order.
    #[serde(default)]
    pub sibling_results: Vec<Arc<WorkerResult>>,
    /// Direct dependencies that may fail and did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<Absence>,
    /// Which attempt this is.
    pub attempt: AttemptInfo,
    /// Given when the attempt should end.
    #[serde(skip)]
    pub stop: StopSignal,
    /// Where a worker that starts a process says so.
    #[serde(skip)]
    pub processes: Option<Arc<dyn ProcessLog>>,
    /// What the worker may ask memory, and tell it; `None` when there is no memory.
    #[serde(skip)]
    pub memory: Option<Arc<dyn WorkerMemory>>,
}

/// The context of tasks that have none: as a rule it is replaced at once, and so not made anew each time.
static NOTHING: LazyLock<Arc<JsonMap>> = LazyLock::new(Arc::default);

impl WorkerContext {
    /// Makes the context of an attempt that depends on nothing.
    pub fn new(subtask: impl Into<Arc<Subtask>>, attempt: AttemptInfo) -> Self {
        Self {
            subtask: subtask.into(),
            parent_context: NOTHING.clone(),
            memory_slice: None,
            sibling_results: Vec::new(),
            absent: Vec::new(),
            attempt,
            stop: StopSignal::new(),
            processes: None,
            memory: None,
        }
    }
}

setters! { WorkerContext {
    /// Sets the task's context.
    with_parent_context => parent_context: Arc<JsonMap>,
    /// Sets what memory knows.
    with_memory_slice => memory_slice: Option<MemorySlice>,
    /// Sets the results of direct dependencies.
    with_sibling_results => sibling_results: Vec<Arc<WorkerResult>>,
    /// Sets the dependencies that failed.
    with_absent => absent: Vec<Absence>,
    /// Sets the signal that ends the attempt.
    with_stop => stop: StopSignal,
    /// Sets where a worker that starts a process says so.
    with_processes => processes: Option<Arc<dyn ProcessLog>>,
    /// Sets what the worker may ask memory, and tell it.
    with_memory => memory: Option<Arc<dyn WorkerMemory>>,
} }

impl std::fmt::Debug for WorkerContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkerContext")
            .field("subtask", &self.subtask.id)
            .field("attempt", &self.attempt)
            .field("stop", &self.stop)
            .finish_non_exhaustive()
    }
}

/// Which attempt a worker is asked to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AttemptInfo {
    /// The run.
    pub run_id: RunId,
    /// The attempt's number in the run.
    pub fence: Fence,
    /// The attempt's secret: a report must carry both.
    pub token: Token,
    /// 1 for the first attempt of the subtask, then 2, 3, ...
    pub number: u32,
    /// The same for every attempt of the subtask: for workers whose effects must happen once.
    pub idempotency_key: String,
    /// W3C trace context of the attempt.
    pub traceparent: String,
    /// How many runs stand above that of the attempt: 0 when no other run submitted it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub run_depth: u32,
    /// How long the attempt may take, in milliseconds.
    pub timeout_ms: u64,
    /// The most that the attempt may cost, in millionths of a US dollar; absent when there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cost_micro_usd: Option<u64>,
    /// What the engine advises after earlier attempts failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guidance: Option<String>,
    /// Why the attempt before this one failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Failure>,
}

impl AttemptInfo {
    /// Makes the info of the first attempt of a subtask.
    pub fn new(
        run_id: RunId,
        fence: Fence,
        token: Token,
        subtask: &SubtaskId,
        timeout_ms: u64,
    ) -> Self {
        Self {
            run_id,
            fence,
            token,
            number: 1,
            idempotency_key: idempotency_key(run_id, subtask),
            traceparent: traceparent(run_id, fence),
            run_depth: 0,
            timeout_ms,
            max_cost_micro_usd: None,
            guidance: None,
            last_failure: None,
        }
    }
}

setters! { AttemptInfo {
    /// Sets which attempt of the subtask it is, from 1.
    with_number => number: u32,
    /// Sets the W3C trace context, when a span of its own stands for the attempt.
    with_traceparent => traceparent: String,
    /// Sets how many runs stand above that of the attempt.
    with_run_depth => run_depth: u32,
    /// Sets the most that the attempt may cost, in millionths of a US dollar.
    with_max_cost_micro_usd => max_cost_micro_usd: Option<u64>,
    /// Sets what the engine advises.
    with_guidance => guidance: Option<String>,
    /// Sets why the attempt before failed.
    with_last_failure => last_failure: Option<Failure>,
} }

/// The same for every attempt of a subtask.
fn idempotency_key(run: RunId, subtask: &SubtaskId) -> String {
    let mut key = String::with_capacity(37 + subtask.as_str().len());
    // Writing to a string cannot fail.
    let _ = write!(key, "{run}/{subtask}");
    key
}

/// W3C trace context, version 00, sampled: the run is the trace, the attempt the parent span.
fn traceparent(run: RunId, fence: Fence) -> String {
    let mut context = String::with_capacity(55);
    let _ = write!(context, "00-{:032x}-{:016x}-01", run.as_u128(), fence.0);
    context
}

/// A dependency that may fail and did: a typed absence, never a text among the inputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Absence {
    /// The dependency.
    pub subtask_id: SubtaskId,
    /// How it ended: failed, skipped or cancelled.
    pub status: SubtaskPhase,
    /// Why.
    pub reason: String,
}

impl Absence {
    /// Makes the absence of `subtask_id`.
    pub fn new(
        subtask_id: impl Into<SubtaskId>,
        status: SubtaskPhase,
        reason: impl Into<String>,
    ) -> Self {
        Self { subtask_id: subtask_id.into(), status, reason: reason.into() }
    }
}
