//! Finds texts of the past that resemble a text.

use super::rank::{cosine, lexical};
use super::{Match, Scope, Store};
use crate::{Embedder, MemoryError};

/// How many of the texts with a common word are compared by their vectors too.
const EMBEDDED: usize = 64;

/// Returns at most `most` texts of `scope` that have a word of `query`, the most similar first, each with its similarity from 0 to 1:
/// half of it from common words, half from the vectors.
pub(crate) async fn similar(
    store: &dyn Store,
    embedder: &dyn Embedder,
    scope: &Scope<'_>,
    query: &str,
    most: usize,
) -> Result<Vec<(f64, Match)>, MemoryError> {
    if query.trim().is_empty() {
        return Ok(Vec::new());
    }
    let found = store.texts(scope).await?;
    let texts: Vec<&str> = found.iter().map(|found| found.text.as_str()).collect();
    let scores = likeness(embedder, query, &texts).await;
    let mut ranked: Vec<(f64, Match)> =
        scores.into_iter().zip(found).filter(|(score, _)| *score > 0.0).collect();
    sort(&mut ranked);
    ranked.truncate(most);
    Ok(ranked)
}

/// Returns how much each of `texts` resembles `query`, from 0 for those without a common word: half of it from common words,
/// half from the vectors, the latter of the best by words only.
pub(crate) async fn likeness(embedder: &dyn Embedder, query: &str, texts: &[&str]) -> Vec<f64> {
    let mut scores = lexical(query, texts);
    let mut best: Vec<usize> = (0..texts.len()).filter(|index| scores[*index] > 0.0).collect();
    best.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    best.truncate(EMBEDDED);
    if best.is_empty() {
        return scores;
    }
    let compared: Vec<&str> = best.iter().map(|index| texts[*index]).collect();
    let Some(cosines) = cosines(embedder, query, &compared).await else { return scores };
    // Those that were not compared are less alike by their words than those that were, and stay behind them.
    scores.iter_mut().for_each(|score| *score /= 2.0);
    for (index, cosine) in best.into_iter().zip(cosines) {
        scores[index] += cosine.max(0.0) / 2.0;
    }
    scores
}

/// Returns the cosine of each text's vector with that of `query`; `None` when there are no vectors.
async fn cosines(embedder: &dyn Embedder, query: &str, texts: &[&str]) -> Option<Vec<f64>> {
    let all: Vec<&str> = std::iter::once(query).chain(texts.iter().copied()).collect();
    match embedder.embed(&all).await {
        Ok(vectors) if vectors.len() == all.len() => {
            Some(vectors[1..].iter().map(|vector| cosine(&vectors[0], vector)).collect())
        }
        Ok(vectors) => {
            tracing::warn!(
                expected = all.len(),
                got = vectors.len(),
                "the embedder answered with another number of vectors; texts are compared by their words alone"
            );
            None
        }
        Err(error) => {
            tracing::warn!(%error, "the embedder does not answer; texts are compared by their words alone");
            None
        }
    }
}

/// The newest of equals first, then by their ids, the same on every store.
fn sort(ranked: &mut [(f64, Match)]) {
    ranked.sort_by(|(a, x), (b, y)| {
        b.total_cmp(a).then_with(|| (y.ended_at, y.run, &y.step).cmp(&(x.ended_at, x.run, &x.step)))
    });
}
