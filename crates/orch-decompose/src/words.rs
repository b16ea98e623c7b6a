//! Words that carry meaning, cut down to a common stem.

use std::collections::BTreeSet;

/// Words that say nothing about the kind of work.
const STOP_WORDS: &[&str] = &[
    "a", "about", "all", "an", "and", "any", "are", "as", "at", "be", "by", "can", "do", "each",
    "every", "find", "for", "from", "get", "give", "has", "have", "how", "if", "in", "into", "is",
    "it", "its", "make", "me", "my", "of", "on", "or", "our", "out", "please", "so", "some",
    "take", "tell", "that", "the", "their", "them", "these", "they", "this", "those", "to", "up",
    "use", "was", "we", "what", "which", "who", "with", "you", "your",
];

/// Endings that are cut off, longest first.
const ENDINGS: &[&str] = &[
    "izations", "ization", "isation", "ations", "ation", "ating", "izing", "ising", "ated", "ates",
    "ized", "ised", "izes", "ises", "ions", "ate", "ize", "ise", "ion", "ing", "ers", "ies", "er",
    "ed", "es", "y", "e", "s",
];

/// The shortest stem that an ending may leave.
const MIN_STEM: usize = 3;

/// Returns the stems of the meaningful words of `text`.
pub(crate) fn stems(text: &str) -> BTreeSet<String> {
    let lower = text.to_lowercase();
    lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty() && !STOP_WORDS.contains(word))
        .map(|word| stem(word).to_owned())
        .collect()
}

/// Cuts off one ending, and one of a doubled last consonant. Light: it takes `summarizes`, `summary` and `summarization` for
/// one word, and knows no irregular forms.
fn stem(word: &str) -> &str {
    let cut = ENDINGS
        .iter()
        .filter_map(|ending| word.strip_suffix(ending))
        .find(|stem| stem.chars().count() >= MIN_STEM)
        .unwrap_or(word);
    let mut last = cut.chars().rev();
    match (last.next(), last.next()) {
        (Some(a), Some(b)) if a == b && cut.chars().count() > MIN_STEM => {
            &cut[..cut.len() - a.len_utf8()]
        }
        (Some(_) | None, _) => cut,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_one_word_have_one_stem() {
        for forms in [
            "summarize summarizes summary summaries summarization summarised",
            "fetch fetches fetched fetching fetcher",
            "test tests tested testing tester",
            "write writes writing writer",
            "plan plans planned planning planner",
            "audit audits auditing",
            "count counts counting",
            "licence licences",
            "dependency dependencies",
            "translate translates translation translations",
        ] {
            let stems = stems(forms);
            assert_eq!(stems.len(), 1, "{forms}: {stems:?}");
        }
    }

    #[test]
    fn different_words_stay_apart() {
        let stems = stems("fetch parse page pages code test list size api ci");
        assert_eq!(stems.len(), 9, "{stems:?}");
    }

    #[test]
    fn words_without_meaning_are_left_out() {
        assert!(stems("Please do all of these, and give it to me!").is_empty());
        assert_eq!(stems("The `Größen`-list").len(), 2);
    }
}
