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
    /// A file or folder was found that may be somebody else's, and the user has not said that they trust it.
    #[error(
        "{} is not trusted: {why}; if you trust it, pass --trust, or set ORCH_TRUST=1 where every call is to trust what it finds, as in CI",
        .path.display()
    )]
    NotTrusted {
        /// The file or folder.
        path: PathBuf,
        /// What speaks against it.
        why: String,
    },
    /// The list of the user's stores cannot be used, so that nothing says whose a store is.
    #[error(
        "cannot note or see whether the store {} is yours: {why}; set XDG_STATE_HOME to a folder that you can write to, or ORCH_TRUST=1 in CI",
        .store.display()
    )]
    NoStoreList {
        /// The store.
        store: PathBuf,
        /// What is wrong with the list.
        why: String,
    },
    /// A found configuration names something that is not used without the user's word, and nothing can be done without it.
    #[error("{0}")]
    Withheld(String),
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
