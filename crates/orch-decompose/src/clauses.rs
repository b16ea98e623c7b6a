//! The clauses of a description: where one ends, and what the words between two of them say about their order.

use std::ops::Range;

/// How a clause follows the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// It begins a sentence, a line or an item of a list.
    Sentence,
    /// It begins one with an order word: "Then ...".
    SentenceAfter,
    /// It stands beside it: "... and ...".
    Beside,
    /// An order word stands between them: "..., then ...".
    After,
}

/// A piece of a description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clause {
    /// Where it stands, in bytes.
    pub(crate) at: Range<usize>,
    pub(crate) link: Link,
}

/// Words that say that something comes later.
const ORDER: &[&str] =
    &["then", "afterwards", "afterward", "subsequently", "finally", "lastly", "thereafter"];

/// Splits `text` at line ends, sentence ends, `;`, numbers and bullets of lists, commas, "and" and order words.
pub(crate) fn clauses(text: &str) -> Vec<Clause> {
    let mut splitter =
        Splitter { text, clauses: Vec::new(), open: None, gap: Gap::Sentence(false) };
    let words = words(text);
    for (place, word) in words.iter().enumerate() {
        splitter.read(
            word,
            place.checked_sub(1).map(|before| &words[before]),
            words.get(place + 1),
        );
    }
    splitter.close();
    splitter.clauses
}

/// What stands between the last clause and the next, so far; the flag says whether an order word does.
#[derive(Debug, Clone, Copy)]
enum Gap {
    None,
    Sentence(bool),
    Within(bool),
}

struct Splitter<'a> {
    text: &'a str,
    clauses: Vec<Clause>,
    /// The clause that goes on with the next word.
    open: Option<Clause>,
    gap: Gap,
}

impl Splitter<'_> {
    fn read(&mut self, word: &Word<'_>, before: Option<&Word<'_>>, next: Option<&Word<'_>>) {
        if word.starts_line || word.is_list_marker() {
            self.end_sentence();
        }
        if word.is_list_marker() {
            return;
        }
        if self.is_order_word(word, before, next) {
            self.separate(true);
        } else if word.is("and") {
            self.separate(false);
        } else {
            self.extend(word);
        }
        if word.ends_sentence(next) {
            self.end_sentence();
        } else if word.ends_with_comma() {
            self.separate(false);
        }
    }

    fn is_order_word(
        &self,
        word: &Word<'_>,
        before: Option<&Word<'_>>,
        next: Option<&Word<'_>>,
    ) -> bool {
        let is_that = |word: &Word<'_>| word.is("that") || word.is("this");
        ORDER.iter().any(|order| word.is(order))
            || (word.is("after") && next.is_some_and(is_that))
            || (is_that(word) && before.is_some_and(|before| before.is("after")))
            // "next" is one only where a clause begins: "the next page" is none.
            || (word.is("next") && self.open.is_none())
    }

    fn separate(&mut self, ordered: bool) {
        self.close();
        self.gap = match self.gap {
            Gap::Sentence(before) => Gap::Sentence(before || ordered),
            Gap::Within(before) => Gap::Within(before || ordered),
            Gap::None => Gap::Within(ordered),
        };
    }

    fn end_sentence(&mut self) {
        self.close();
        self.gap = Gap::Sentence(false);
    }

    fn extend(&mut self, word: &Word<'_>) {
        let gap = std::mem::replace(&mut self.gap, Gap::None);
        let link = match gap {
            Gap::Sentence(false) => Link::Sentence,
            Gap::Sentence(true) => Link::SentenceAfter,
            Gap::None | Gap::Within(false) => Link::Beside,
            Gap::Within(true) => Link::After,
        };
        self.open.get_or_insert(Clause { at: word.at.start..word.at.start, link }).at.end =
            word.at.end;
    }

    fn close(&mut self) {
        let Some(mut clause) = self.open.take() else { return };
        let text = &self.text[clause.at.clone()];
        clause.at.end -= text.len() - text.trim_end_matches(['.', '!', '?', ';', ',', ':']).len();
        if !clause.at.is_empty() {
            self.clauses.push(clause);
        }
    }
}

/// A run of characters without blanks.
#[derive(Debug)]
struct Word<'a> {
    text: &'a str,
    at: Range<usize>,
    starts_line: bool,
}

impl Word<'_> {
    fn is(&self, word: &str) -> bool {
        self.text.trim_matches(|c: char| !c.is_alphanumeric()).eq_ignore_ascii_case(word)
    }

    fn ends_with_comma(&self) -> bool {
        self.text.ends_with(',')
    }

    /// A full stop ends a sentence only before a capital letter, a digit or nothing: "e.g. this" goes on.
    fn ends_sentence(&self, next: Option<&Word<'_>>) -> bool {
        let goes_on = || next.is_some_and(|next| next.text.starts_with(|c: char| c.is_lowercase()));
        self.text.ends_with([';', '!', '?']) || (self.text.ends_with('.') && !goes_on())
    }

    /// Tells whether it is the `1.`, `2)`, `-` or `*` of a list.
    fn is_list_marker(&self) -> bool {
        let number = self.text.strip_suffix(['.', ')']);
        let is_number =
            |n: &str| (1..=3).contains(&n.len()) && n.chars().all(|c| c.is_ascii_digit());
        number.is_some_and(is_number) || (self.starts_line && matches!(self.text, "-" | "*" | "•"))
    }
}

fn words(text: &str) -> Vec<Word<'_>> {
    let mut words: Vec<Word<'_>> = Vec::new();
    for piece in text.split_whitespace() {
        // A piece is a part of `text`, so the distance of their addresses is its place.
        let start = piece.as_ptr() as usize - text.as_ptr() as usize;
        let gap = words.last().map_or("\n", |last| &text[last.at.end..start]);
        let starts_line = gap.contains('\n');
        words.push(Word { text: piece, at: start..start + piece.len(), starts_line });
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes each clause as its link (`.` sentence, `>` ordered sentence, `&` beside, `+` after) and its text.
    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let shown: Vec<_> = clauses(text)
            .into_iter()
            .map(|clause| {
                let link = match clause.link {
                    Link::Sentence => '.',
                    Link::SentenceAfter => '>',
                    Link::Beside => '&',
                    Link::After => '+',
                };
                format!("{link}{}", &text[clause.at])
            })
            .collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn order_words_come_between_clauses_or_begin_them() {
        check("Fetch it, then parse it", &[".Fetch it", "+parse it"]);
        check("Fetch it and then parse it.", &[".Fetch it", "+parse it"]);
        check("Fetch it, after that parse it", &[".Fetch it", "+parse it"]);
        check("Fetch it. Then parse it.", &[".Fetch it", ">parse it"]);
        check(
            "Fetch it. After this, parse it. Next, print it",
            &[".Fetch it", ">parse it", ">print it"],
        );
        check("Fetch it; finally print", &[".Fetch it", ">print"]);
        check("fetch it, next parse the next page", &[".fetch it", "+parse the next page"]);
        check("Then", &[]);
    }

    #[test]
    fn without_an_order_word_clauses_stand_beside_each_other() {
        check("Fetch it, parse it, and print it", &[".Fetch it", "&parse it", "&print it"]);
        check("Fetch a\nFetch b", &[".Fetch a", ".Fetch b"]);
        check("Fetch a. Fetch b! Done? Yes", &[".Fetch a", ".Fetch b", ".Done", ".Yes"]);
        check("look after the page", &[".look after the page"]);
    }

    #[test]
    fn lists_are_split_at_their_items() {
        check("1. Fetch it\n2. Parse it\n", &[".Fetch it", ".Parse it"]);
        check("Do: 1) fetch it 2) then parse it", &[".Do", ".fetch it", ">parse it"]);
        check("- fetch it\n* parse - it\n• print", &[".fetch it", ".parse - it", ".print"]);
    }

    #[test]
    fn what_only_looks_like_an_end_is_none() {
        check("Use v1.2 of e.g. serde for 1,000 rows", &[".Use v1.2 of e.g. serde for 1,000 rows"]);
        check("", &[]);
        check(" \n ... , ; \n", &[]);
    }
}
