//! `concatenate`: all outputs, side by side.

use std::sync::Arc;

use orch_core::WorkerResult;
use serde_json::{Value, json};

/// Returns a list with one entry per result, in plan order.
pub(crate) fn concatenate(results: &[Arc<WorkerResult>]) -> Value {
    results.iter().map(|result| entry(result)).collect()
}

fn entry(result: &WorkerResult) -> Value {
    json!({
        "subtask_id": result.subtask_id,
        "worker_name": result.worker_name,
        "output": result.output,
    })
}
