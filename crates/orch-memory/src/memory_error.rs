//! What can go wrong with learned memory.

use crate::error::Failure;
use orch_core::journal::JournalError;
use orch_core::{BoxError, RunId, ScopeError};

/// Why learned memory did not answer, or did not take something. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// The store failed: try again.
    #[error("cannot {doing}")]
    Store {
        /// What was being done.
        doing: &'static str,
        /// What the store said.
        source: BoxError,
    },
    /// The journal of the run that is to be learned from failed: try again.
    #[error("cannot learn from run {run}")]
    Journal {
        /// The run.
        run: RunId,
        /// Why not.
        source: JournalError,
    },
    /// Something stored cannot be read: it is damaged, or a later version of orch wrote it.
    #[error("{what} cannot be read")]
    Corrupt {
        /// What.
        what: String,
        /// Why not.
        source: BoxError,
    },
    /// Memory has no example of the run: it has not ended, it was forgotten, or newer ones have taken its place.
    #[error(
        "memory does not know run {0}: it has not ended, was forgotten, or there were 256 of its type after it"
    )]
    UnknownRun(RunId),
    /// The id of an outcome is none of a run.
    #[error("`{0}` is not the id of a run's outcome, which is `orch_` and the run's id")]
    NotAnOutcome(String),
    /// The end of an import is missing, so that what it says of runs may be, too: make the export again.
    #[error("the import has no end: it was cut off after line {found}; export it again")]
    Cut {
        /// How many lines it has.
        found: u64,
    },
    /// Lines of an import are missing, or were added: make the export again.
    #[error(
        "the import has {found} lines before its last, which says that there were {said}; export it again"
    )]
    Miscounted {
        /// How many lines it has without the last.
        found: u64,
        /// How many it had.
        said: u64,
    },
    /// An import has runs that are known and runs that are not, and sums cannot be told apart: import into an empty memory.
    #[error(
        "{known} of the {of} runs of the import are known already, so that their outcomes would count twice; import into an empty memory"
    )]
    Overlap {
        /// How many of its runs are known.
        known: usize,
        /// How many runs it has.
        of: usize,
    },
    /// A scope forbids it: change the scope, or leave it.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// A score is no number from 0 to 1.
    #[error("the score {0} is not between 0 and 1")]
    Score(f64),
}

/// Makes the error of a statement that has failed.
pub(crate) fn failed_to(doing: &'static str) -> impl Fn(sqlx::Error) -> MemoryError {
    move |source| MemoryError::Store { doing, source: Failure::from(source).into() }
}
