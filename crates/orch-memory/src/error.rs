//! What can go wrong below a journal, whatever the database.

use std::sync::Arc;

use orch_core::BoxError;
use orch_core::journal::JournalError;

/// The journal was closed, or the runtime of its writer is gone.
#[derive(Debug, thiserror::Error)]
#[error("the journal is closed")]
pub(crate) struct Closed;

/// One failure, shared by all who were in the transaction.
#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
pub(crate) struct Failure(Arc<sqlx::Error>);

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self(Arc::new(error))
    }
}

pub(crate) fn failed_to(doing: String, source: impl Into<BoxError>) -> JournalError {
    JournalError::Store { doing, source: source.into() }
}
