//! The shell: tokio tasks, timers, the journal and subscribers around the driver. No rule of the engine lives here.
//!
//! ```text
//! callers, attempts, journal, timers --Input--> Driver::step --Output--> Shell::carry_out
//! ```
//!
//! One task owns the driver. It waits, feeds the driver what has come, and carries out all outputs before it waits again.

mod attempt;
mod call;
mod carry_out;
mod clock;
mod engine;
mod entropy;
mod lookup;
mod parts;
mod patiently;
mod results;
mod store_health;
mod subscribers;
mod worker_memory;

pub(crate) use call::Call;
pub use call::Lifecycle;
pub use clock::Clock;
pub(crate) use clock::{Ticker, monotonic};
pub(crate) use engine::{CALLS, Engine};
pub(crate) use entropy::{run_entropy, seed};
pub(crate) use lookup::{add_lock_waits, changed_in, result_in, status_in};
pub(crate) use parts::{Guards, Parts};
pub(crate) use results::{Reported, reported};
pub(crate) use subscribers::Subscribers;
pub(crate) use worker_memory::recall;
