//! What is learned from runs, as values: sums that can be added in any order, and what can be read from them.
//!
//! ```text
//! events of a run --(orch-memory)--> deltas --merge--> WorkerStats, TaskStats --read--> summaries, quantiles, bounds, heuristics
//! ```
//! **Invariant:** everything that is kept is a commutative sum of integers (or the greatest of an order), so that any order of
//! folding and merging gives equal values, bit by bit. Decay, means and bounds are computed when they are read.

mod confidence;
mod expect;
mod failures;
mod heuristics;
mod history;
mod lessons;
mod moments;
mod past;
mod priors;
mod spread;
mod summary;
mod task;
mod view;
mod worker;
mod worker_lessons;

pub use confidence::lower_bound;
pub use expect::{Expectation, Typical};
pub use failures::FailurePattern;
pub use heuristics::{decomposition_heuristics, decomposition_id, routing_heuristic, routing_id};
pub use history::{Day, HALF_LIFE_DAYS, History};
pub use lessons::lessons;
pub use moments::{Moments, Reward, Weighted};
pub use past::{Feedback, PastRun, PastStep};
pub use priors::Priors;
pub use spread::Spread;
pub use summary::WorkerSummary;
pub use task::{PlanStats, TaskStats};
pub use view::Learned;
pub use worker::WorkerStats;
pub use worker_lessons::Lessons;
