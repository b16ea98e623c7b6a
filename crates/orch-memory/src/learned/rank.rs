//! Ranks texts by their likeness to a query.

use std::collections::{HashMap, HashSet};

use super::words::words;

/// The constants of BM25 (Robertson, Zaragoza: The Probabilistic Relevance Framework: BM25 and Beyond, 2009).
const K1: f64 = 1.2;
const B: f64 = 0.75;

/// Returns for each text how much of the query's BM25 score it reaches: 0 without a common word, 1 for the query itself.
pub(crate) fn lexical(query: &str, texts: &[&str]) -> Vec<f64> {
    let wanted: HashSet<String> = words(query).into_iter().collect();
    let docs: Vec<Doc> = texts.iter().map(|text| Doc::of(text, &wanted)).collect();
    let own = Doc::of(query, &wanted);
    let total = docs.len() as f64;
    let mean = docs.iter().map(|doc| doc.length).sum::<f64>() / total.max(1.0);
    let mut idf: Vec<(&String, f64)> = wanted
        .iter()
        .map(|word| {
            let df = docs.iter().filter(|doc| doc.counts.contains_key(word)).count() as f64;
            (word, ((total - df + 0.5) / (df + 0.5)).ln_1p())
        })
        .collect();
    // Sums of floats in one order, so that equal stores give equal bits.
    idf.sort_by_key(|(word, _)| *word);
    let best = own.score(&idf, mean);
    docs.iter()
        .map(|doc| if best > 0.0 { (doc.score(&idf, mean) / best).min(1.0) } else { 0.0 })
        .collect()
}

struct Doc {
    length: f64,
    counts: HashMap<String, f64>,
}

impl Doc {
    fn of(text: &str, wanted: &HashSet<String>) -> Self {
        let words = words(text);
        let length = words.len() as f64;
        let mut counts = HashMap::new();
        for word in words.into_iter().filter(|word| wanted.contains(word)) {
            *counts.entry(word).or_insert(0.0) += 1.0;
        }
        Self { length, counts }
    }

    fn score(&self, idf: &[(&String, f64)], mean: f64) -> f64 {
        let norm = K1 * (1.0 - B + B * self.length / mean.max(1.0));
        idf.iter()
            .filter_map(|(word, idf)| {
                let count = self.counts.get(*word)?;
                Some(idf * count * (K1 + 1.0) / (count + norm))
            })
            .sum()
    }
}

/// Returns the cosine of two vectors, 0 when one of them is zero or they differ in length.
pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
    };
    let norms = (dot(a, a) * dot(b, b)).sqrt();
    if a.len() == b.len() && norms > 0.0 { dot(a, b) / norms } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_itself_scores_one_and_rare_words_count_for_more() {
        let texts =
            ["test the payment api", "test the login form", "test the garden hose", "unrelated"];
        let scores = lexical("test the payment api", &texts);
        assert_eq!((scores[0], scores[3]), (1.0, 0.0));
        assert!(scores[0] > scores[1] && (scores[1] - scores[2]).abs() < 1e-12, "{scores:?}");
        let rare = lexical("test hose", &texts);
        assert!(rare[2] > 2.0 * rare[0], "{rare:?}");
        assert_eq!(lexical("", &texts), [0.0; 4]);
    }

    #[test]
    fn cosines() {
        assert!((cosine(&[1.0, 1.0], &[2.0, 2.0]) - 1.0).abs() < 1e-9);
        assert_eq!(cosine(&[1.0, 0.0], &[0.0, 1.0]), 0.0);
        assert_eq!(cosine(&[0.0], &[1.0]), 0.0);
        assert_eq!(cosine(&[1.0], &[1.0, 0.0]), 0.0);
    }
}
