//! The order among clauses. Every edge has a reason, since a needless one costs wall time.

use crate::clauses::Link;

/// Words that stand for one thing that the clause before has made.
const ONE: &[&str] = &["it", "its"];
/// Words that stand for all that was made so far and is not used yet.
const ALL: &[&str] = &["them", "their", "results", "outputs", "findings"];

/// What a clause waits for, and why.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Waits {
    /// Places of clauses before it, in order.
    pub(crate) needs: Vec<usize>,
    pub(crate) reason: Option<&'static str>,
}

/// Returns what each clause waits for, given how it follows the one before and its text.
///
/// A clause after an order word waits for all clauses since the order word before it, or since the sentence began; when the
/// order word begins the sentence, for all clauses that nothing waits for yet. One that refers to what others make ("it",
/// "the results") waits for them.
pub(crate) fn waits<'a>(clauses: impl IntoIterator<Item = (Link, &'a str)>) -> Vec<Waits> {
    let mut all: Vec<Waits> = Vec::new();
    let mut group: Vec<usize> = Vec::new();
    let mut group_needs: Vec<usize> = Vec::new();
    for (place, (link, text)) in clauses.into_iter().enumerate() {
        match link {
            Link::Beside => {}
            Link::After => group_needs = std::mem::take(&mut group),
            Link::Sentence => (group, group_needs) = (Vec::new(), Vec::new()),
            Link::SentenceAfter => (group, group_needs) = (Vec::new(), unused(&all)),
        }
        let mut waits = Waits { needs: group_needs.clone(), reason: None };
        if !waits.needs.is_empty() {
            waits.reason = Some("an order word says so");
        }
        for needed in referred(text, &all) {
            if !waits.needs.contains(&needed) {
                waits.needs.push(needed);
                waits.reason = waits.reason.or(Some("it refers to what that makes"));
            }
        }
        waits.needs.sort_unstable();
        all.push(waits);
        group.push(place);
    }
    all
}

/// Returns the clauses that nothing waits for.
fn unused(all: &[Waits]) -> Vec<usize> {
    let mut used = vec![false; all.len()];
    for place in all.iter().flat_map(|waits| &waits.needs) {
        used[*place] = true;
    }
    (0..all.len()).filter(|place| !used[*place]).collect()
}

fn referred(text: &str, before: &[Waits]) -> Vec<usize> {
    let lower = text.to_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphanumeric());
    if words.clone().any(|word| ALL.contains(&word)) {
        unused(before)
    } else if words.any(|word| ONE.contains(&word)) {
        before.len().checked_sub(1).into_iter().collect()
    } else {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::Link::{After, Beside, Sentence, SentenceAfter};
    use super::*;

    #[track_caller]
    fn check(clauses: &[(Link, &str)], expected: &[&[usize]]) {
        let needs: Vec<_> = waits(clauses.iter().copied()).into_iter().map(|w| w.needs).collect();
        assert_eq!(needs, expected);
    }

    #[test]
    fn clauses_without_order_words_wait_for_nothing() {
        check(&[(Sentence, "a"), (Beside, "b"), (Sentence, "c")], &[&[], &[], &[]]);
    }

    #[test]
    fn an_order_word_waits_for_the_group_before_it() {
        check(
            &[(Sentence, "a"), (Beside, "b"), (After, "c"), (Beside, "d"), (After, "e")],
            &[&[], &[], &[0, 1], &[0, 1], &[2, 3]],
        );
        check(&[(Sentence, "a"), (Sentence, "b"), (After, "c")], &[&[], &[], &[1]]);
    }

    #[test]
    fn one_that_begins_a_sentence_waits_for_all_that_is_unused() {
        check(
            &[(Sentence, "a"), (After, "b"), (Sentence, "c"), (SentenceAfter, "d"), (Beside, "e")],
            &[&[], &[0], &[], &[1, 2], &[1, 2]],
        );
        check(&[(SentenceAfter, "a"), (After, "b")], &[&[], &[0]]);
    }

    #[test]
    fn a_reference_waits_for_what_it_refers_to() {
        check(&[(Sentence, "a"), (Beside, "b"), (Beside, "parse it")], &[&[], &[], &[1]]);
        check(
            &[(Sentence, "a"), (Sentence, "b"), (Sentence, "Join the results")],
            &[&[], &[], &[0, 1]],
        );
        check(&[(Sentence, "read it"), (After, "print it")], &[&[], &[0]]);
        check(&[(Sentence, "a"), (Sentence, "the item")], &[&[], &[]]);
    }

    #[test]
    fn the_reason_says_which() {
        let waits =
            waits([(Sentence, "a"), (After, "b"), (Sentence, "use it"), (After, "see its end")]);
        let reasons: Vec<_> = waits.iter().map(|w| w.reason).collect();
        let (order, refers) = ("an order word says so", "it refers to what that makes");
        assert_eq!(reasons, [None, Some(order), Some(refers), Some(order)]);
    }
}
