//! Which rows a worker is told of: the most similar to its task, of each kind as many as ALMA itself puts into a prompt.

use std::collections::HashSet;

use orch_core::MemorySlice;

use super::row::{Kind, Row};
use crate::Embedder;
use crate::learned::likeness;

/// What a worker may be told.
struct Entry {
    kind: Kind,
    text: String,
    confidence: f64,
    is_general: bool,
    likeness: f64,
}

/// Returns the entries of each kind, the most similar first; of equals the surer, then the newer. What shares no word with
/// `query` is left out, unless it is of use anyway. `rows` come the newest first.
pub(super) async fn slice(
    embedder: &dyn Embedder,
    query: &str,
    task_type: &str,
    rows: &[(Kind, Row)],
) -> MemorySlice {
    let mut entries = entries(task_type, rows);
    let texts: Vec<&str> = entries.iter().map(|entry| entry.text.as_str()).collect();
    let scores = likeness(embedder, query, &texts).await;
    for (entry, score) in entries.iter_mut().zip(scores) {
        entry.likeness = score;
    }
    entries.retain(|entry| entry.likeness > 0.0 || entry.is_general);
    entries.sort_by(|a, b| {
        b.likeness.total_cmp(&a.likeness).then(b.confidence.total_cmp(&a.confidence))
    });
    let mut slice = MemorySlice::new();
    for entry in entries {
        let list = list(entry.kind, &mut slice);
        if list.len() < most(entry.kind) {
            list.push(entry.text);
        }
    }
    slice
}

fn entries(task_type: &str, rows: &[(Kind, Row)]) -> Vec<Entry> {
    let mut seen = HashSet::new();
    let mut entries = Vec::new();
    for (kind, row) in rows {
        let text = row.tell(*kind);
        // ALMA makes a new row of a rule each time that it proves right.
        if !text.is_empty() && seen.insert(text.clone()) {
            entries.push(Entry {
                kind: *kind,
                text,
                confidence: row.confidence.unwrap_or(0.0),
                is_general: row.is_general(*kind, task_type),
                likeness: 0.0,
            });
        }
    }
    entries
}

fn list(kind: Kind, slice: &mut MemorySlice) -> &mut Vec<String> {
    match kind {
        Kind::Heuristic => &mut slice.heuristics,
        Kind::Outcome => &mut slice.outcomes,
        Kind::Preference => &mut slice.preferences,
        Kind::Knowledge => &mut slice.domain_knowledge,
        Kind::AntiPattern => &mut slice.anti_patterns,
    }
}

/// The most entries of a kind.
fn most(kind: Kind) -> usize {
    match kind {
        Kind::Heuristic | Kind::Outcome | Kind::Preference | Kind::Knowledge => 5,
        Kind::AntiPattern => 3,
    }
}
