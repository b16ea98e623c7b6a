//! What a worker is told before an attempt.

use orch_core::learned::{FailurePattern, WorkerStats};
use orch_core::{Cause, MemorySlice, Subtask};

use super::Match;

/// The most characters of one entry.
const ENTRY: usize = 400;

/// Makes a slice of at most `max_tokens` tokens: first what went wrong, then what is known, then examples, the most similar first.
pub(crate) fn slice(
    subtask: &Subtask,
    known: Option<&WorkerStats>,
    similar: &[(f64, Match)],
    max_tokens: u32,
) -> MemorySlice {
    let mut budget = Budget { slice: MemorySlice::new(), max_tokens };
    for (cause, pattern) in known.into_iter().flat_map(|stats| &stats.failures) {
        budget.add(failure(*cause, pattern), |slice| &mut slice.anti_patterns);
    }
    if let Some(stats) = known {
        budget.add(record(subtask, stats), |slice| &mut slice.heuristics);
    }
    for (_, example) in similar {
        let how = if example.success { "Succeeded" } else { "Failed" };
        budget.add(format!("{how}: {}", example.text), |slice| &mut slice.outcomes);
    }
    budget.slice
}

fn failure(cause: Cause, pattern: &FailurePattern) -> String {
    let times =
        if pattern.count == 1 { "once".to_owned() } else { format!("{} times", pattern.count) };
    format!("Failed {times} with `{cause}`, the last time: {}", pattern.message)
}

fn record(subtask: &Subtask, stats: &WorkerStats) -> String {
    let total = stats.history.total();
    let done = format!(
        "{} of {} attempts at `{}` subtasks succeeded",
        total.successes(),
        total.count(),
        subtask.task_type
    );
    match stats.duration_ms.quantile(0.5) {
        Some(ms) => format!("{done}; half of those took at most {:.1} s.", ms as f64 / 1e3),
        None => format!("{done}."),
    }
}

struct Budget {
    slice: MemorySlice,
    max_tokens: u32,
}

impl Budget {
    /// Adds an entry, on one line and clipped, unless it makes the slice too long.
    fn add(&mut self, entry: String, list: impl Fn(&mut MemorySlice) -> &mut Vec<String>) {
        let words: Vec<&str> = entry.split_whitespace().collect();
        list(&mut self.slice).push(words.join(" ").chars().take(ENTRY).collect());
        if self.slice.estimated_tokens() > self.max_tokens {
            list(&mut self.slice).pop();
        }
    }
}
