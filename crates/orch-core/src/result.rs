//! What comes back: a worker's result, and the result of a whole run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::number::or_nan;
use crate::setters::setters;
use crate::{EndStatus, JsonMap, SubtaskId, TaskId, WorkerName};

/// What a worker made of a subtask.
///
/// ```
/// use orch_core::WorkerResult;
/// use serde_json::json;
///
/// let result: WorkerResult = serde_json::from_value(json!({
///     "subtask_id": "sizes", "worker_name": "du", "success": true, "output": { "bytes": 4096 },
///     "metadata": { "usage": { "cost_usd": 0.02 } },
/// }))?;
/// assert_eq!(result.usage()?.and_then(|usage| usage.cost_micro_usd()), Some(20_000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct WorkerResult {
    /// The subtask that it is about.
    pub subtask_id: SubtaskId,
    /// The worker that made it.
    pub worker_name: WorkerName,
    /// Whether the worker did what was asked; `false` is a failure of type `error` with the output as evidence.
    pub success: bool,
    /// The output; any JSON.
    #[serde(default)]
    pub output: Value,
    /// Why it failed, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// How long the attempt took, in milliseconds.
    #[serde(default)]
    pub duration_ms: u64,
    /// How sure the worker is, 0 to 1.
    #[serde(default = "sure", deserialize_with = "or_nan")]
    pub confidence: f64,
    /// Anything else; the keys `usage`, `artifacts`, `evidence` and `lessons` have a fixed meaning.
    #[serde(default, skip_serializing_if = "JsonMap::is_empty")]
    pub metadata: JsonMap,
}

fn sure() -> f64 {
    1.0
}

impl WorkerResult {
    /// Makes a successful result.
    pub fn success(
        subtask_id: impl Into<SubtaskId>,
        worker_name: impl Into<WorkerName>,
        output: Value,
    ) -> Self {
        Self {
            subtask_id: subtask_id.into(),
            worker_name: worker_name.into(),
            success: true,
            output,
            error_message: None,
            duration_ms: 0,
            confidence: sure(),
            metadata: JsonMap::new(),
        }
    }

    /// Makes a failed result.
    pub fn failure(
        subtask_id: impl Into<SubtaskId>,
        worker_name: impl Into<WorkerName>,
        error_message: impl Into<String>,
    ) -> Self {
        Self {
            success: false,
            error_message: Some(error_message.into()),
            confidence: 0.0,
            ..Self::success(subtask_id, worker_name, Value::Null)
        }
    }

    /// Returns what the attempt used, `None` when it does not say.
    ///
    /// # Errors
    /// When `metadata.usage` has another shape.
    pub fn usage(&self) -> Result<Option<Usage>, MetadataError> {
        read(&self.metadata, "usage")
    }

    /// Returns the artifacts that the attempt made.
    ///
    /// # Errors
    /// When `metadata.artifacts` has another shape.
    pub fn artifacts(&self) -> Result<Vec<Artifact>, MetadataError> {
        Ok(read(&self.metadata, "artifacts")?.unwrap_or_default())
    }

    /// Returns what the worker says that it has learned. At most [`MAX_LESSONS`](crate::MAX_LESSONS) of at most
    /// [`MAX_LESSON_LENGTH`](crate::MAX_LESSON_LENGTH) characters are kept, if its scope allows it.
    ///
    /// # Errors
    /// When `metadata.lessons` is no list of texts.
    pub fn lessons(&self) -> Result<Vec<String>, MetadataError> {
        Ok(read(&self.metadata, "lessons")?.unwrap_or_default())
    }

    /// Returns the evidence that the attempt left, such as its captured stderr.
    ///
    /// # Errors
    /// When `metadata.evidence` is no object.
    pub fn evidence(&self) -> Result<Option<JsonMap>, MetadataError> {
        read(&self.metadata, "evidence")
    }
}

setters! { WorkerResult {
    /// Sets the output.
    with_output => output: Value,
    /// Sets why it failed.
    with_error_message => error_message: Option<String>,
    /// Sets how long the attempt took, in milliseconds.
    with_duration_ms => duration_ms: u64,
    /// Sets how sure the worker is, 0 to 1.
    with_confidence => confidence: f64,
    /// Sets everything else.
    with_metadata => metadata: JsonMap,
} }

fn read<T: serde::de::DeserializeOwned>(
    metadata: &JsonMap,
    key: &'static str,
) -> Result<Option<T>, MetadataError> {
    metadata
        .get(key)
        .map(|value| T::deserialize(value))
        .transpose()
        .map_err(|source| MetadataError { key, source })
}

/// A well-known metadata key holds something of another shape.
#[derive(Debug, Error)]
#[error("metadata.{key} does not have its well-known shape")]
#[non_exhaustive]
pub struct MetadataError {
    /// The key.
    pub key: &'static str,
    /// What is wrong with it.
    pub source: serde_json::Error,
}

/// What an attempt used. A number that is not known is absent, never 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Usage {
    /// Tokens read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Tokens written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// The cost in US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
}

impl Usage {
    /// Returns the cost in millionths of a US dollar, rounded; `None` when unknown, negative, infinite or no number.
    pub fn cost_micro_usd(&self) -> Option<u64> {
        let cost = self.cost_usd.filter(|cost| cost.is_finite() && *cost >= 0.0)?;
        // The cast saturates.
        Some((cost * 1e6).round() as u64)
    }

    /// Returns all tokens, `None` when neither number is known.
    pub fn tokens(&self) -> Option<u64> {
        match (self.input_tokens, self.output_tokens) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(0).saturating_add(b.unwrap_or(0))),
        }
    }
}

setters! { Usage {
    /// Sets the tokens read.
    with_input_tokens => input_tokens: Option<u64>,
    /// Sets the tokens written.
    with_output_tokens => output_tokens: Option<u64>,
    /// Sets the cost in US dollars.
    with_cost_usd => cost_usd: Option<f64>,
} }

/// Something an attempt made that is kept elsewhere, as a rule a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Artifact {
    /// The name by which a plan asks for it.
    pub name: String,
    /// Where it is: a path or a URL.
    pub uri: String,
    /// What it is, for example `text/markdown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
}

impl Artifact {
    /// Makes an artifact of unknown media type.
    pub fn new(name: impl Into<String>, uri: impl Into<String>) -> Self {
        Self { name: name.into(), uri: uri.into(), media_type: None }
    }
}

setters! { Artifact {
    /// Sets what it is.
    with_media_type => media_type: Option<String>,
} }

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OrchestrationResult {
    /// The task's id.
    pub task_id: TaskId,
    /// Whether enough succeeded: the success ratio is met and every required subtask is done.
    pub success: bool,
    /// How the run ended.
    pub status: EndStatus,
    /// One result per subtask that was tried, in plan order; failed ones with their error.
    pub subtask_results: Vec<WorkerResult>,
    /// The one output made of all accepted results.
    pub aggregated_output: Value,
    /// Wall time from submission to end, in milliseconds.
    pub total_duration_ms: u64,
    /// Per worker: busy time / (wall time x slots), 0 to 1.
    pub worker_utilization: BTreeMap<WorkerName, f64>,
    /// What went wrong, one sentence each.
    #[serde(default)]
    pub errors: Vec<String>,
    /// Conflicts between results that the aggregation resolved, one sentence each.
    #[serde(default)]
    pub conflicts_resolved: Vec<String>,
    /// How sure the aggregation is of its output, 0 to 1.
    #[serde(default)]
    pub confidence: f64,
}

impl OrchestrationResult {
    /// Makes the result of a run without subtasks that ended with `status`.
    pub fn new(task_id: impl Into<TaskId>, status: EndStatus) -> Self {
        Self {
            task_id: task_id.into(),
            success: status == EndStatus::Completed,
            status,
            subtask_results: Vec::new(),
            aggregated_output: Value::Null,
            total_duration_ms: 0,
            worker_utilization: BTreeMap::new(),
            errors: Vec::new(),
            conflicts_resolved: Vec::new(),
            confidence: 0.0,
        }
    }
}

setters! { OrchestrationResult {
    /// Sets whether enough succeeded.
    with_success => success: bool,
    /// Sets the results of the subtasks.
    with_subtask_results => subtask_results: Vec<WorkerResult>,
    /// Sets the one output.
    with_aggregated_output => aggregated_output: Value,
    /// Sets the wall time, in milliseconds.
    with_total_duration_ms => total_duration_ms: u64,
    /// Sets the share of time that each worker was busy.
    with_worker_utilization => worker_utilization: BTreeMap<WorkerName, f64>,
    /// Sets what went wrong.
    with_errors => errors: Vec<String>,
    /// Sets the conflicts that were resolved.
    with_conflicts_resolved => conflicts_resolved: Vec<String>,
    /// Sets how sure the aggregation is, 0 to 1.
    with_confidence => confidence: f64,
} }
