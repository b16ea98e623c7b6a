//! Ids of subtasks: readable, safe as file names, unique in their plan.

use std::collections::HashSet;

use orch_core::SubtaskId;

/// The most characters of an id, its number aside.
const MAX_CHARS: usize = 48;

/// Gives out ids.
#[derive(Default)]
pub(crate) struct Ids {
    taken: HashSet<String>,
}

impl Ids {
    /// Makes an id that resembles `label`: its letters, digits, `.` and `_`, and `-` for everything else. Of equal ones the
    /// second ends with `-2`.
    pub(crate) fn like(&mut self, label: &str) -> SubtaskId {
        let slug = slug(label);
        let numbered = (2_u32..).map(|number| format!("{slug}-{number}"));
        let free =
            std::iter::once(slug.clone()).chain(numbered).find(|id| !self.taken.contains(id));
        let id = free.unwrap_or(slug);
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
}
