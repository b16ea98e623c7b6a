//! Finds texts of the past that resemble a text.

use std::collections::HashSet;

use super::rank::{cosine, lexical};
use super::{Match, Scope, Store, words};
use crate::{Embedder, MemoryError};

/// How many of the newest texts with a common word are looked at, how many of them by their vectors too, and how many are
/// returned at most.
const LOOKED_AT: u32 = 256;
const EMBEDDED: usize = 64;
/// How many words of a query are searched for.
const SEARCHED: usize = 64;

/// Returns the texts of `scope` that resemble `query`, the most similar first, each with its similarity from 0 to 1: half of it
/// from common words, half from the vectors.
pub(crate) async fn similar(
    store: &dyn Store,
    embedder: &dyn Embedder,
    scope: &Scope<'_>,
    query: &str,
    most: usize,
) -> Result<Vec<(f64, Match)>, MemoryError> {
    let mut seen = HashSet::new();
    let searched: Vec<String> =
        words(query).into_iter().filter(|word| seen.insert(word.clone())).take(SEARCHED).collect();
    let (found, total) = store.matching(scope, &searched, LOOKED_AT).await?;
    let texts: Vec<&str> = found.iter().map(|found| found.text.as_str()).collect();
    let mut ranked: Vec<(f64, Match)> =
        lexical(query, &texts, total).into_iter().zip(found).collect();
    sort(&mut ranked);
    ranked.truncate(EMBEDDED);
    by_vectors(embedder, query, &mut ranked).await;
    sort(&mut ranked);
    ranked.truncate(most);
    Ok(ranked)
}

async fn by_vectors(embedder: &dyn Embedder, query: &str, ranked: &mut [(f64, Match)]) {
    let texts: Vec<&str> =
        std::iter::once(query).chain(ranked.iter().map(|(_, found)| found.text.as_str())).collect();
    let vectors = match embedder.embed(&texts).await {
        Ok(vectors) if vectors.len() == texts.len() => vectors,
        Ok(vectors) => {
            tracing::warn!(
                expected = texts.len(),
                got = vectors.len(),
                "the embedder answered with another number of vectors; texts are compared by their words alone"
            );
            return;
        }
        Err(error) => {
            tracing::warn!(%error, "the embedder does not answer; texts are compared by their words alone");
            return;
        }
    };
    for ((score, _), vector) in ranked.iter_mut().zip(&vectors[1..]) {
        *score = f64::midpoint(*score, cosine(&vectors[0], vector).max(0.0));
    }
}

/// The newest of equals first, then by their ids, the same on every store.
fn sort(ranked: &mut [(f64, Match)]) {
    ranked.sort_by(|(a, x), (b, y)| {
        b.total_cmp(a).then_with(|| (y.ended_at, y.run, &y.step).cmp(&(x.ended_at, x.run, &x.step)))
    });
}
