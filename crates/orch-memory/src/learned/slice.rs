//! What a worker is told before an attempt.

use std::collections::BTreeMap;

use orch_core::learned::{FailurePattern, Lessons, WorkerStats};
use orch_core::{Cause, MemorySlice};

use super::rank::lexical;

/// The most characters of one entry.
const ENTRY: usize = 400;
/// The most examples in a slice.
const EXAMPLES: usize = 8;

/// What one agent has learned that may help with a subtask.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// Whose it is, when the reader has inherited it.
    pub(crate) from: Option<String>,
    pub(crate) failures: BTreeMap<Cause, FailurePattern>,
    pub(crate) rules: Vec<String>,
    /// What it says that it has learned, the most helpful first.
    pub(crate) lessons: Vec<String>,
    /// Each with its similarity and whether it went well, the most similar first.
    pub(crate) examples: Vec<(f64, bool, String)>,
}

impl Source {
    /// Says who it was, when it was not the reader.
    fn say(&self, entry: impl Into<String>) -> String {
        match &self.from {
            Some(agent) => format!("`{agent}`: {}", entry.into()),
            None => entry.into(),
        }
    }

    fn told(&self) -> impl Iterator<Item = (f64, String)> {
        self.examples.iter().map(|(similarity, success, text)| {
            let how = if *success { "Succeeded" } else { "Failed" };
            (*similarity, self.say(format!("{how}: {text}")))
        })
    }
}

/// Makes a slice of at most `max_tokens` tokens: first what went wrong, then what is known, then lessons, then examples, the most
/// similar first. What the first of the sources says comes before what the others say, and `elsewhere`, what another memory
/// knows, after them.
pub(crate) fn slice(sources: &[Source], elsewhere: &MemorySlice, max_tokens: u32) -> MemorySlice {
    let mut budget = Budget { slice: MemorySlice::new(), max_tokens };
    for source in sources {
        for (cause, pattern) in &source.failures {
            let entry = source.say(failure(*cause, pattern));
            budget.add(&entry, |slice| &mut slice.anti_patterns);
        }
    }
    budget.add_all(&elsewhere.anti_patterns, |slice| &mut slice.anti_patterns);
    for source in sources {
        for rule in &source.rules {
            budget.add(&source.say(rule), |slice| &mut slice.heuristics);
        }
    }
    budget.add_all(&elsewhere.heuristics, |slice| &mut slice.heuristics);
    budget.add_all(&elsewhere.preferences, |slice| &mut slice.preferences);
    for source in sources {
        for lesson in &source.lessons {
            budget.add(&source.say(lesson), |slice| &mut slice.domain_knowledge);
        }
    }
    budget.add_all(&elsewhere.domain_knowledge, |slice| &mut slice.domain_knowledge);
    let mut examples: Vec<(f64, String)> = sources.iter().flat_map(Source::told).collect();
    // A stable sort: of equals the reader's own come first.
    examples.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    for (_, example) in examples.iter().take(EXAMPLES) {
        budget.add(example, |slice| &mut slice.outcomes);
    }
    budget.add_all(&elsewhere.outcomes, |slice| &mut slice.outcomes);
    budget.slice
}

fn failure(cause: Cause, pattern: &FailurePattern) -> String {
    let times =
        if pattern.count == 1 { "once".to_owned() } else { format!("{} times", pattern.count) };
    format!("Failed {times} with `{cause}`, the last time: {}", pattern.message)
}

/// Returns lessons, those first that resemble `query`, and of equals the newest.
pub(crate) fn helpful(lessons: &Lessons, query: &str) -> Vec<String> {
    let texts = lessons.newest_first();
    let mut ranked: Vec<(f64, &str)> = lexical(query, &texts).into_iter().zip(texts).collect();
    ranked.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    ranked.into_iter().map(|(_, lesson)| lesson.to_owned()).collect()
}

/// Says how often a worker did subtasks of a type, and how well.
pub(crate) fn record(task_type: &str, stats: &WorkerStats) -> String {
    let total = stats.history.total();
    let done = format!(
        "{} of {} attempts at `{task_type}` subtasks succeeded",
        total.successes(),
        total.count()
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
    fn add_all(&mut self, entries: &[String], list: impl Fn(&mut MemorySlice) -> &mut Vec<String>) {
        for entry in entries {
            self.add(entry, &list);
        }
    }

    /// Adds an entry, on one line and clipped, unless it makes the slice too long.
    fn add(&mut self, entry: &str, list: impl Fn(&mut MemorySlice) -> &mut Vec<String>) {
        let words: Vec<&str> = entry.split_whitespace().collect();
        list(&mut self.slice).push(words.join(" ").chars().take(ENTRY).collect());
        if self.slice.estimated_tokens() > self.max_tokens {
            list(&mut self.slice).pop();
        }
    }
}
