//! Vectors of texts, so that likeness is more than common words.

#[cfg(feature = "embeddings")]
mod endpoint;
mod ngrams;

use async_trait::async_trait;
use orch_core::BoxError;

#[cfg(feature = "embeddings")]
pub use endpoint::{EmbeddingsEndpoint, EmbeddingsError};
pub use ngrams::HashedNgrams;

/// Turns texts into vectors whose cosine says how alike they are.
#[async_trait]
pub trait Embedder: Send + Sync + 'static {
    /// Returns a vector for each of `texts`, all of the same length.
    ///
    /// # Errors
    /// When there is no answer; retrieval then goes by words alone.
    async fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, BoxError>;
}
