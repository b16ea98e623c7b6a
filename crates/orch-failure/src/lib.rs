//! What follows from a failure: whether a subtask is tried again, when and by whom, and whether the run goes on.
//!
//! - [`RetryingFailureHandler`]: the handler. Retries within the run's [`RetryPolicy`](orch_core::RetryPolicy), goes to a
//!   worker that has not failed yet when there is one, and asks an
//!   [`InterventionEngine`](orch_core::InterventionEngine) about results that stay poor.
//! - [`backoff`]: the pause before a retry.
//! - [`AbortRule`]: when so much has failed that the run should end.
//!
//! **Invariants:** pure functions of their arguments: no clock, no randomness (the draw comes in), no state between calls.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::time::Duration;
//!
//! use orch_core::{
//!     Cause, Failure, FailureContext, FailureDecision, FailureEvent, FailureHandler, RetryPolicy, RoutingContext, Subtask,
//!     OutcomeCounts, WorkerName,
//! };
//! use orch_failure::RetryingFailureHandler;
//!
//! let handler = RetryingFailureHandler::new();
//! let subtask = Subtask::new("fetch", "Fetch the page", "web");
//! let tried = [WorkerName::from("curl")];
//! let (loads, outcome_counts) = (BTreeMap::new(), OutcomeCounts::default());
//! let policy = RetryPolicy::default(); // two retries, at most 1 s and 2 s later
//! let context = FailureContext::new(&policy, RoutingContext::new(&[], &loads, &outcome_counts), &tried, 0.5);
//!
//! let crash = Failure::new(Cause::Crash, "signal 11");
//! let event = FailureEvent::new("fetch".into(), "curl".into(), &crash, "2026-01-01T00:00:00Z".parse()?);
//! let FailureDecision::Retry { after, worker, .. } = handler.handle_failure(&event, &subtask, &context) else {
//!     panic!("a crash is tried again");
//! };
//! assert_eq!(after, Duration::from_millis(500)); // half of the first second
//! assert_eq!(worker, None); // nobody else is there: the router chooses
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod abort;
mod backoff;
mod fallback;
mod handler;

pub use abort::AbortRule;
pub use backoff::backoff;
pub use handler::RetryingFailureHandler;
