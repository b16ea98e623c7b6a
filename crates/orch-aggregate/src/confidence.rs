//! How sure a result and an output are.

use std::sync::Arc;

use orch_core::WorkerResult;

use crate::sources::Sources;

/// Returns the worker's confidence within 0 to 1; what is no number counts as 0.
pub(crate) fn of_result(result: &WorkerResult) -> f64 {
    if result.confidence.is_nan() { 0.0 } else { result.confidence.clamp(0.0, 1.0) }
}

/// Returns mean confidence x success ratio; 0 without results.
pub(crate) fn of_output(sources: &Sources<'_>) -> f64 {
    mean(&sources.results) * sources.success_ratio()
}

fn mean(results: &[Arc<WorkerResult>]) -> f64 {
    if results.is_empty() {
        return 0.0;
    }
    results.iter().map(|result| of_result(result)).sum::<f64>() / results.len() as f64
}
