//! How well an agent's description matches a subtask, by their words.

use std::collections::BTreeSet;

use orch_core::Subtask;

/// What a description can reach at most: a listed task type says more.
const MAX_SCORE: f64 = 0.9;
/// What a word counts that is in the agent's name, and one that is in its description only.
const IN_NAME: f64 = 1.0;
const IN_DESCRIPTION: f64 = 0.6;

/// The words of an agent.
#[derive(Debug, Clone)]
pub(super) struct AgentProfile {
    name: BTreeSet<String>,
    description: BTreeSet<String>,
}

impl AgentProfile {
    pub(super) fn new(name: &str, description: &str) -> Self {
        Self { name: stems(name), description: stems(description) }
    }

    /// Returns the share of the subtask's words that the agent has, 0 to 0.9; those of its name count more.
    pub(super) fn score(&self, subtask: &Subtask) -> f64 {
        let mut words = stems(&subtask.description);
        words.extend(stems(&subtask.task_type));
        if words.is_empty() {
            return 0.0;
        }
        let count = |word: &String| {
            if self.name.contains(word) {
                IN_NAME
            } else if self.description.contains(word) {
                IN_DESCRIPTION
            } else {
                0.0
            }
        };
        MAX_SCORE * words.iter().map(count).sum::<f64>() / words.len() as f64
    }
}

/// Words that say nothing about what is done.
const STOP: [&str; 44] = [
    "agent",
    "all",
    "and",
    "any",
    "are",
    "assistant",
    "been",
    "but",
    "can",
    "for",
    "from",
    "has",
    "have",
    "her",
    "him",
    "his",
    "how",
    "into",
    "its",
    "our",
    "out",
    "should",
    "task",
    "that",
    "the",
    "them",
    "then",
    "there",
    "these",
    "they",
    "this",
    "those",
    "use",
    "used",
    "user",
    "was",
    "were",
    "what",
    "when",
    "which",
    "will",
    "with",
    "you",
    "your",
];

/// Endings that a stem does without, longest first.
const ENDINGS: [&str; 11] =
    ["ions", "ings", "ing", "ers", "ors", "ion", "ed", "er", "or", "es", "s"];

fn stems(text: &str) -> BTreeSet<String> {
    text.to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.chars().count() > 2 && !STOP.contains(word))
        .map(|word| stem(word).to_owned())
        .collect()
}

/// Cuts an ending, and a final `e`, when at least three letters remain: `write`, `writer` and `writing` are one.
fn stem(word: &str) -> &str {
    let long = |stem: &&str| stem.chars().count() >= 3;
    let cut = ENDINGS.iter().find_map(|ending| word.strip_suffix(ending).filter(long));
    let cut = cut.unwrap_or(word);
    cut.strip_suffix('e').filter(long).unwrap_or(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_are_one() {
        for (forms, expected) in [
            (&["review", "reviewer", "reviews", "reviewing", "reviewed"][..], "review"),
            (&["write", "writer", "writing"], "writ"),
            (&["audit", "auditor", "audits"], "audit"),
            (&["test", "tester", "testing", "tests"], "test"),
        ] {
            for form in forms {
                assert_eq!(stem(form), expected, "{form}");
            }
        }
        assert_eq!((stem("bus"), stem("red")), ("bus", "red"), "too short to be cut");
    }

    #[test]
    fn a_score_is_the_share_of_words_at_most_nine_tenths() {
        let profile = AgentProfile::new(
            "code-reviewer",
            "Use it when a pull request needs a security audit.",
        );
        for (description, task_type, expected) in [
            ("Review the code", "code_review", 0.9),
            ("Audit security", "audit", 0.54),
            ("Review poems", "", 0.45),
            ("Paint the fence", "painting", 0.0),
            ("", "", 0.0),
            ("Use the agent", "", 0.0),
        ] {
            let score = profile.score(&Subtask::new("a", description, task_type));
            assert!((score - expected).abs() < 1e-9, "{description}: {score}");
        }
    }
}
