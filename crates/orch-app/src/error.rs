//! What can go wrong between a person's files and a running supervisor.

use std::io;
use std::path::PathBuf;

use orch_core::{BoxError, DecomposeError};
use thiserror::Error;

use crate::issue::Issues;

/// Why something could not be set up. Exhaustive: a new reason needs an exit code.
#[derive(Debug, Error)]
pub enum AppError {
    /// Files or arguments are wrong; everything that is, is listed.
    #[error(transparent)]
    Invalid(#[from] Issues),
    /// A file cannot be read.
    #[error("cannot read {}", .file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The task cannot be split.
    #[error("there is no plan for the task")]
    Plan(#[from] DecomposeError),
    /// There is no store, so there are no runs.
    #[error("there are no runs here: {store} {reason}")]
    NoStore {
        /// Where it would be.
        store: String,
        /// What it lacks.
        reason: String,
    },
    /// The environment has no secret that the configuration names.
    #[error("the environment variable {variable}, the secret for {what}, is not set")]
    NoSecret {
        /// The variable.
        variable: String,
        /// What it is for.
        what: String,
    },
    /// The server that says how alike texts are cannot be asked.
    #[error("memory.embeddings cannot be used")]
    Embeddings(#[source] BoxError),
    /// Nothing can be sent to a webhook.
    #[error("cannot use the webhook {url}")]
    Webhook {
        /// Scheme and host of its URL.
        url: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store cannot be opened.
    #[error("cannot open the store")]
    Store(#[source] BoxError),
}
