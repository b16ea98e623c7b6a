//! What can go wrong below a journal, whatever the database.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use orch_core::BoxError;
use orch_core::journal::JournalError;

use crate::advice::explain;

/// The journal was closed, or the runtime of its writer is gone.
#[derive(Debug, thiserror::Error)]
#[error("the journal is closed")]
pub(crate) struct Closed;

/// One failure of the database, shared by all who were in the transaction: what it said, and what can be done about it.
#[derive(Debug, Clone)]
pub(crate) struct Failure(Arc<sqlx::Error>);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        explain(&self.0, f)
    }
}

impl Error for Failure {}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self(Arc::new(error))
    }
}

pub(crate) fn failed_to(doing: String, source: impl Into<BoxError>) -> JournalError {
    JournalError::Store { doing, source: explained(source.into()) }
}

/// An error of the database says what can be done about it; any other stays as it is.
fn explained(source: BoxError) -> BoxError {
    match source.downcast::<sqlx::Error>() {
        Ok(error) => Failure::from(*error).into(),
        Err(other) => other,
    }
}
