//! The rules of the [`Journal`] contract, one function each. Every one wants fresh [`Writers`](super::Writers), and panics
//! when the rule is broken.

mod appends;
mod lists;
mod locks;
mod owners;
mod payloads;
mod races;
mod tailing;

use crate::journal::{Append, AppendError, Journal};
use crate::{Event, RunId, Seq};

pub use appends::*;
pub use lists::*;
pub use locks::*;
pub use owners::*;
pub use payloads::*;
pub use races::*;
pub use tailing::*;

#[track_caller]
fn accepted(result: Result<(), AppendError>) {
    if let Err(error) = result {
        panic!("the append was refused: {error:?}");
    }
}

#[track_caller]
fn refused(result: Result<(), AppendError>) -> AppendError {
    result.expect_err("the append should have been refused")
}

async fn append(journal: &dyn Journal, append: Append) {
    accepted(journal.append(append).await);
}

async fn load(journal: &dyn Journal, run: RunId, after: u64) -> Vec<(u64, Event)> {
    let events = journal.load(run, Seq(after)).await.expect("the journal loads");
    events.into_iter().map(|recorded| (recorded.seq.0, recorded.event)).collect()
}

/// Returns the last event of `run`, 0 when there is none; the rows and the events must agree on it.
async fn last(journal: &dyn Journal, run: RunId) -> u64 {
    let row = journal.row(run).await.expect("the journal reads a row").map_or(0, |row| row.seq.0);
    let loaded = load(journal, run, 0).await;
    assert!(loaded.iter().map(|(seq, _)| *seq).eq(1..=row), "events are numbered 1 to {row}");
    row
}
