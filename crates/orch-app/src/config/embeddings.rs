//! `memory.embeddings`: a server that says how alike texts are.

use std::fmt;

use serde::Deserialize;

use super::span::Span;
use crate::error::AppError;

/// A server with `/v1/embeddings`. It gets the texts of tasks and subtasks.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Embeddings {
    url: String,
    model: String,
    /// The environment variable with the key.
    key_env: Option<String>,
    /// How long an answer may take.
    timeout: Option<Span>,
}

impl fmt::Debug for Embeddings {
    /// Without the address, which may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embeddings").field("model", &self.model).finish_non_exhaustive()
    }
}

#[cfg(feature = "embeddings")]
impl Embeddings {
    /// Returns the embedder, with the key from the environment.
    ///
    /// # Errors
    /// When the variable is not set or empty, or there is no such address or key.
    pub(crate) fn embedder(&self) -> Result<orch_memory::EmbeddingsEndpoint, AppError> {
        let endpoint = orch_memory::EmbeddingsEndpoint::new(&self.url, &self.model);
        let endpoint = endpoint.map_err(|error| AppError::Embeddings(error.into()))?;
        let endpoint = match self.timeout {
            Some(Span(timeout)) => endpoint.with_timeout(timeout),
            None => endpoint,
        };
        let Some(variable) = &self.key_env else { return Ok(endpoint) };
        match std::env::var(variable) {
            Ok(key) if !key.is_empty() => {
                endpoint.with_key(&key).map_err(|error| AppError::Embeddings(error.into()))
            }
            Ok(_) | Err(_) => Err(AppError::NoSecret {
                variable: variable.clone(),
                what: "memory.embeddings".to_owned(),
            }),
        }
    }

    /// Returns what is wrong with it, a sentence.
    pub(super) fn fault(&self) -> Option<String> {
        orch_memory::EmbeddingsEndpoint::new(&self.url, &self.model)
            .err()
            .map(|error| format!("`url`: {error}"))
    }
}

#[cfg(not(feature = "embeddings"))]
impl Embeddings {
    pub(crate) fn embedder(&self) -> Result<orch_memory::HashedNgrams, AppError> {
        // Refused when the configuration is loaded.
        Err(AppError::Embeddings("this build asks no server for embeddings".into()))
    }

    pub(super) fn fault(&self) -> Option<String> {
        Some("this build asks no server; build it with the feature `embeddings`".to_owned())
    }
}
