//! How a task becomes a plan: subtasks, and the order among them.
//!
//! - [`TaskDecomposer`]: the decomposer. A given plan is completed and validated; else the task is split by the items in its
//!   context, or by what the workers can do, or handed over whole.
//! - [`NotApplicable`]: why a strategy makes no plan of a task.
//! - [`UnavailableStrategy`]: a strategy that this decomposer does not have is refused when the decomposer is made.
//!
//! A plan says what made it (`source`), how sure that is (`confidence`) and what a reader should know (`notes`).
//!
//! **Invariants:** pure functions of their arguments. Every subtask of a plan is one that an admitted worker can do, and every
//! edge has a reason.
//!
//! ```
//! use std::num::NonZeroUsize;
//! use std::sync::Arc;
//!
//! use async_trait::async_trait;
//! use orch_core::{
//!     ComplexTask, DecompositionRequest, PlanSource, Worker, WorkerCapability, WorkerContext, WorkerError, WorkerName,
//!     WorkerResult,
//! };
//! use orch_decompose::TaskDecomposer;
//!
//! struct Desk(WorkerName, [WorkerCapability; 1]);
//!
//! #[async_trait]
//! impl Worker for Desk {
//!     fn name(&self) -> &WorkerName { &self.0 }
//!     fn capabilities(&self) -> &[WorkerCapability] { &self.1 }
//!     async fn execute(&self, context: WorkerContext) -> Result<WorkerResult, WorkerError> {
//!         Ok(WorkerResult::success(context.subtask.id.clone(), self.0.clone(), "done".into()))
//!     }
//! }
//!
//! let desk = |name: &str, profile: WorkerCapability| -> Arc<dyn Worker> { Arc::new(Desk(name.into(), [profile])) };
//! let workers = [
//!     desk("w1", WorkerCapability::new("web", ["fetch"]).with_description("fetches pages")),
//!     desk("w2", WorkerCapability::new("text", ["summary"]).with_description("summarizes a page")),
//! ];
//! let task = ComplexTask::new("t", "Fetch the page, then summarize it", "research");
//!
//! let request = DecompositionRequest::new(&task, &workers, NonZeroUsize::new(10).unwrap());
//! let plan = TaskDecomposer::default().plan(&request)?;
//! assert_eq!(plan.source, PlanSource::CapabilityBased);
//! assert_eq!(plan.subtasks[1].task_type, "summary");
//! assert_eq!(plan.subtasks[1].dependencies, ["fetch"]); // "then" says so
//! # Ok::<(), orch_core::DecomposeError>(())
//! ```

mod capability;
mod clauses;
mod decomposer;
mod draft;
mod eligible_workers;
mod given;
mod ids;
mod items;
mod order;
mod plan_history;
mod profiles;
mod single;
mod strategy;
mod words;

pub use decomposer::TaskDecomposer;
pub use draft::NotApplicable;
pub use strategy::UnavailableStrategy;
