//! Which worker gets a subtask, and why.
//!
//! - [`WorkerRouter`]: the router. Filters by constraints and ability, ranks by a strategy, names fallbacks, and says why in
//!   a sentence.
//! - [`UnavailableStrategy`]: a strategy that this router does not have is refused when the router is made.
//!
//! **Invariants:** pure functions of their arguments; the same snapshot gives the same decision. A chosen worker is always
//! admitted by the constraints and says itself that it is able ([`orch_core::fit`] is positive).
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::Arc;
//!
//! use async_trait::async_trait;
//! use orch_core::{
//!     Router, RoutingContext, RoutingStrategy, Subtask, OutcomeCounts, Worker, WorkerCapability, WorkerContext, WorkerError,
//!     WorkerName, WorkerResult,
//! };
//! use orch_route::WorkerRouter;
//!
//! struct Writer(WorkerName, [WorkerCapability; 1]);
//!
//! #[async_trait]
//! impl Worker for Writer {
//!     fn name(&self) -> &WorkerName { &self.0 }
//!     fn capabilities(&self) -> &[WorkerCapability] { &self.1 }
//!     async fn execute(&self, context: WorkerContext) -> Result<WorkerResult, WorkerError> {
//!         Ok(WorkerResult::success(context.subtask.id.clone(), self.0.clone(), "some text".into()))
//!     }
//! }
//!
//! let writer = |name: &str, proficiency: f64| -> Arc<dyn Worker> {
//!     Arc::new(Writer(name.into(), [WorkerCapability::new("writing", ["text"]).with_proficiency(proficiency)]))
//! };
//! let workers = [writer("ada", 0.6), writer("bob", 0.9)];
//! let (loads, outcome_counts) = (BTreeMap::new(), OutcomeCounts::default());
//! let context = RoutingContext::new(&workers, &loads, &outcome_counts);
//!
//! let router = WorkerRouter::new(RoutingStrategy::BestFit)?;
//! let decision = router.route(&Subtask::new("s", "Sum it up", "text"), &context)?;
//! assert_eq!(decision.primary_worker, "bob");
//! assert_eq!(decision.fallback_workers, ["ada"]);
//! assert_eq!(decision.confidence, 0.9);
//! assert_eq!(
//!     decision.reasoning,
//!     "best fit: `bob` with 0.90 (proficiency 0.90 at `text`, success 1.00, load 0.00), ahead of `ada` with 0.60"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch;
mod candidate;
mod reason;
mod router;
mod strategy;

pub use router::WorkerRouter;
pub use strategy::UnavailableStrategy;
