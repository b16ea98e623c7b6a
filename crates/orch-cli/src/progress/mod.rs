//! What happens in a run, for people who watch.
//!
//! `board` folds the events into what a person wants to see; `view` writes it: live on a terminal, a line per event elsewhere.

mod board;
mod view;

pub(crate) use view::View;
