//! Vectors without a model.

use async_trait::async_trait;
use orch_core::BoxError;

use super::Embedder;

/// The embedder that needs nothing: counts of character n-grams, hashed (Weinberger, Dasgupta, Langford, Smola, Attenberg:
/// Feature Hashing for Large Scale Multitask Learning, ICML 2009). Sees through inflection and typing errors, not through synonyms.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use orch_memory::{Embedder, HashedNgrams};
///
/// let vectors = HashedNgrams::new().embed(&["testing APIs", "test the API", "water the garden"]).await.unwrap();
/// let dot = |a: usize, b: usize| vectors[a].iter().zip(&vectors[b]).map(|(x, y)| x * y).sum::<f32>();
/// assert!(dot(0, 1) > dot(0, 2));
/// # });
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct HashedNgrams;

/// The length of the vectors.
const DIMENSIONS: usize = 256;
/// The lengths of the n-grams.
const GRAMS: std::ops::RangeInclusive<usize> = 3..=5;
/// The most characters of a text that count.
const MOST: usize = 2_000;

impl HashedNgrams {
    /// Makes the embedder.
    pub fn new() -> Self {
        Self
    }

    /// Returns the vector of `text`, of length 1 unless the text has no letter or digit.
    pub fn vector(&self, text: &str) -> Vec<f32> {
        // Each word begins and ends with a space of its own, so that beginnings and ends count.
        let mut chars = vec![' '];
        for c in text.chars().take(MOST).flat_map(char::to_lowercase) {
            match (c.is_alphanumeric(), chars.last()) {
                (true, _) => chars.push(c),
                (false, Some(' ')) => {}
                (false, _) => chars.push(' '),
            }
        }
        if chars.last() != Some(&' ') {
            chars.push(' ');
        }
        let mut vector = vec![0.0_f32; DIMENSIONS];
        for gram in GRAMS.flat_map(|n| chars.windows(n)) {
            let hash = fnv1a(gram);
            let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
            vector[hash as usize % DIMENSIONS] += sign;
        }
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        if norm > 0.0 {
            vector.iter_mut().for_each(|x| *x /= norm);
        }
        vector
    }
}

#[async_trait]
impl Embedder for HashedNgrams {
    async fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, BoxError> {
        Ok(texts.iter().map(|text| self.vector(text)).collect())
    }
}

/// A hash that is the same on every machine and in every version.
fn fnv1a(chars: &[char]) -> u64 {
    let bytes = chars.iter().flat_map(|c| u32::from(*c).to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
