//! The guard around all parts that a user gives to a [`Builder`](crate::Builder): no part that panics, hangs or answers nonsense
//! ends the engine, another run, or an attempt of a worker that did nothing wrong.
//!
//! ```text
//! inline:    engine --question--> part --answer, panic--> engine        parts in `Inline`, which answer at once
//! threaded:  engine --question--> thread --answer, panic--> engine      all others
//!                            `--time limit: the question fails, the thread is given up--'
//! ```
//!
//! | part | how it is asked | time limit | without an answer |
//! |---|---|---|---|
//! | router, failure handler, gates | threaded, or [`Inline`](crate::Inline) | 1 s | the subtask or result fails with cause `policy` |
//! | decomposer, aggregator | threaded | 60 s | the run ends as failed, and its results are kept |
//! | memory | threaded | snapshot 10 s, slice 5 s, outcome 60 s | the run goes on without it |
//! | reaper | threaded | 60 s; `is_gone` 1 s | it is asked again; the owner is taken to be alive |
//! | journal | inline | none | a panic is an answer of a store that refuses |
//!
//! What an answer means is checked where it is used: by the driver and the state machine.

pub(crate) mod inline;
mod journal;
mod memory;
mod reaper;
mod thread;

pub(crate) use journal::GuardedJournal;
pub(crate) use memory::{GuardedMemory, MemoryFailure, SLICE_LIMIT};
pub(crate) use reaper::GuardedReaper;
pub(crate) use thread::{Guard, NoAnswer};
