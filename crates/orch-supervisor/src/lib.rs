//! The engine of orch: durable, barrier-free execution of plans by workers.
//!
//! A [`Supervisor`] takes a [`ComplexTask`](orch_core::ComplexTask), splits it, gives the subtasks to workers as soon as what
//! they depend on is done, survives failures and crashes, and makes one output. Every part can be replaced in its
//! [`Builder`]; the defaults need no other crate.
//!
//! ```
//! use orch_core::{ComplexTask, DecompositionPlan, Subtask, WorkerCapability};
//! use orch_supervisor::{SubmitOptions, Supervisor, worker_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let supervisor = Supervisor::builder()
//!     .worker(worker_fn("reader", [WorkerCapability::new("read", ["read"])], |_| async { Ok(3.into()) }))
//!     .worker(worker_fn("adder", [WorkerCapability::new("add", ["add"])], |ctx| async move {
//!         Ok(ctx.sibling_results.iter().filter_map(|r| r.output.as_i64()).sum::<i64>().into())
//!     }))
//!     .build();
//! let plan = DecompositionPlan::new([
//!     Subtask::new("a", "Read a", "read"),
//!     Subtask::new("b", "Read b", "read"),
//!     Subtask::new("sum", "Add them", "add").with_dependencies(["a", "b"]),
//! ]);
//! let task = ComplexTask::new("t", "Add two numbers", "sum");
//! let run = supervisor.submit_with(task, SubmitOptions::new().plan(plan)).await?;
//! assert_eq!(supervisor.wait(run).await?.aggregated_output, serde_json::json!([3, 3, 6]));
//! # Ok(())
//! # }
//! ```
//!
//! **Four layers, three of them pure:** `machine` (one run), `pool` (the workers of a process), `driver` (turns and
//! recovery, sans-IO), and the tokio shell around them. [`Builder::forecast`]
//! plays a run through without starting anything. The simulator of the feature `sim` drives the first three in virtual
//! time.

mod builder;
mod closure;
mod defaults;
mod delegation;
mod driver;
mod error;
mod forecast;
mod guard;
mod machine;
mod part;
mod pauses;
mod pool;
mod request;
mod shell;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
mod supervisor;

pub use builder::Builder;
pub use closure::{FnWorker, worker_fn};
pub use error::{RegisterError, SupervisorError};
pub use forecast::{Basis, Estimate, ExpectedAttempt, ExpectedSubtask, Forecast};
pub use machine::{Claimed, Refusal, ReportAnswer, Want};
pub use part::{Inline, Part};
pub use request::{SubmitOptions, SubtaskReport};
pub use shell::{Clock, Lifecycle};
pub use supervisor::Supervisor;
