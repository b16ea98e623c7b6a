//! What is learned, without a store: from events to evidence, from words to similar tasks.
//!
//! ```text
//! events of a run --walk--> evidence --(a store adds it)--> sums --view--> what policies see
//! a text --words, rank, vectors--> similar ones of the texts that a store has
//! ```
//! **Invariant:** stores differ in how they keep and find rows, never in what rows mean.

mod evidence;
mod feedback;
mod rank;
mod record;
mod rules;
mod similar;
mod slice;
mod slots;
mod store;
mod strip;
mod view;
mod walk;
mod words;

pub(crate) use evidence::{Cell, Ended, Evidence};
pub(crate) use feedback::{Grades, Regrade};
pub(crate) use record::{Example, Record, VERSION};
pub use rules::{Heuristic, Rule, Ruling, Verdict};
pub(crate) use rules::{Known, ruled, rules};
#[cfg(feature = "alma")]
pub(crate) use similar::likeness;
pub(crate) use similar::similar;
pub(crate) use slice::{Source, helpful, record, slice};
pub(crate) use store::{Match, Scope, Sink, Store};
pub(crate) use strip::strip;
pub(crate) use view::view;
#[cfg(feature = "alma")]
pub(crate) use walk::counts_against_worker;
pub(crate) use walk::{evidence, is_name};
