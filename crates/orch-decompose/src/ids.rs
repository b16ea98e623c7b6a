//! Ids of subtasks: readable, safe as file names, unique in their plan.

use std::collections::{HashMap, HashSet};

use orch_core::SubtaskId;

/// The most characters of an id, its number aside.
const MAX_CHARS: usize = 48;

/// Gives out ids.
#[derive(Default)]
pub(crate) struct Ids {
    taken: HashSet<String>,
    /// The last number that was tried after a text, so that many equal labels do not try all numbers again.
    numbers: HashMap<String, u32>,
}

impl Ids {
    /// Makes an id that resembles `label`: its letters, digits, `.` and `_`, and `-` for everything else. Of equal ones the
    /// second ends with `-2`.
    pub(crate) fn like(&mut self, label: &str) -> SubtaskId {
        let slug = slug(label);
        let mut id = slug.clone();
        if self.taken.contains(&id) {
            let number = self.numbers.entry(slug.clone()).or_insert(1);
            while self.taken.contains(&id) {
                *number += 1;
                id = format!("{slug}-{number}");
            }
        }
        self.taken.insert(id.clone());
        SubtaskId::new(id)
    }
}

fn slug(label: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '.' | '_') { c } else { ' ' };
    let spaced: String = label.chars().map(plain).collect();
    let joined = spaced.split_whitespace().collect::<Vec<_>>().join("-");
    let short: String = joined.chars().take(MAX_CHARS).collect();
    let short = short.trim_end_matches('-');
    if short.is_empty() { "item".to_owned() } else { short.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_readable_and_unique() {
        let mut ids = Ids::default();
        for (label, expected) in [
            ("src/main.rs", "src-main.rs"),
            ("src main.rs", "src-main.rs-2"),
            ("src-main.rs-2", "src-main.rs-2-2"),
            ("$plan", "plan"),
            ("a#1", "a-1"),
            ("Größe", "Größe"),
            ("", "item"),
            ("///", "item-2"),
            ("a\nb\u{0}c", "a-b-c"),
        ] {
            assert_eq!(ids.like(label), expected, "{label:?}");
        }
        assert_eq!(ids.like(&"x ".repeat(100)).as_str().chars().count(), 47);
    }
    #[test]
    fn a_hundred_thousand_equal_labels_take_no_hundred_thousand_tries_each() {
        let mut ids = Ids::default();
        let last = (0..100_000).map(|_| ids.like("same")).last();
        assert_eq!(last.unwrap(), "same-100000");
    }
}
