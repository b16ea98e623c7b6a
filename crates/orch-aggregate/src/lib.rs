//! One output of many results.
//!
//! - [`ResultAggregator`]: the aggregator; the run's settings choose among its strategies `concatenate`, `merge` and, when it
//!   was given a function, `custom`.
//! - [`Incomplete`]: why there is no output when subtasks failed and the settings allow no partial one.
//!
//! **Invariants:** pure functions of their arguments; nothing that failed gets into an output; nothing that was accepted is
//! dropped without an entry in `conflicts_resolved`.
//!
//! ```
//! use std::sync::Arc;
//!
//! use orch_aggregate::ResultAggregator;
//! use orch_core::{AggregationInput, AggregationSettings, Aggregator, ComplexTask, Subtask, WorkerResult};
//! use serde_json::json;
//!
//! let task = ComplexTask::new("t", "Describe the repository", "audit");
//! let plan = ["sizes", "owners"].map(|id| Arc::new(Subtask::new(id, id, "audit")));
//! let results = [
//!     WorkerResult::success("sizes", "du", json!({"repo": {"bytes": 4096, "files": 12}})).with_confidence(0.9),
//!     WorkerResult::success("owners", "git", json!({"repo": {"authors": ["ada"], "files": 11}})).with_confidence(0.5),
//! ]
//! .map(Arc::new);
//! let settings = AggregationSettings::default(); // merge
//!
//! let merged = ResultAggregator::new().aggregate(&AggregationInput::new(&task, &plan, &results, &settings))?;
//! assert_eq!(merged.output, json!({"repo": {"bytes": 4096, "files": 12, "authors": ["ada"]}}));
//! assert_eq!(
//!     merged.conflicts_resolved[0].sentence,
//!     "at /repo/files: 12 of `sizes` (confidence 0.90) stands, 11 of `owners` (confidence 0.50) is dropped"
//! );
//! assert_eq!(merged.confidence, 0.7);
//! # Ok::<(), orch_core::AggregateError>(())
//! ```

mod aggregator;
mod concatenate;
mod confidence;
mod merge;
mod sources;

pub use aggregator::ResultAggregator;
pub use sources::Incomplete;
