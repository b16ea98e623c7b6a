//! What tools answer: JSON objects, `success` first, short whatever came in.

use orch_core::RunId;
use serde::Serialize;
use serde_json::{Map, Value};

/// The most bytes of an answer.
pub(crate) const MAX_ANSWER_BYTES: usize = 4_096;

/// The most bytes of a refusal's sentence, as JSON.
const SENTENCE_BYTES: usize = 3_000;

/// An answer in the making.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    fields: Map<String, Value>,
    /// The run that a client which knows tasks can get as one instead.
    task: Option<RunId>,
}

impl Answer {
    /// Begins an answer.
    pub(crate) fn new(success: bool) -> Self {
        Self { fields: Map::from_iter([("success".to_owned(), success.into())]), task: None }
    }

    /// Adds a field.
    pub(crate) fn set(&mut self, key: &str, value: impl Serialize) -> &mut Self {
        // What tools answer has string keys and finite numbers.
        self.fields.insert(key.to_owned(), serde_json::to_value(value).unwrap_or_default());
        self
    }

    /// Says that a client which knows tasks can get the run as one instead of this answer.
    pub(crate) fn as_task_too(&mut self, run: RunId) {
        self.task = Some(run);
    }

    /// Returns the run that can be had as a task instead.
    pub(crate) fn task(&self) -> Option<RunId> {
        self.task
    }

    /// Returns how many bytes more fit.
    pub(crate) fn room(&self) -> usize {
        MAX_ANSWER_BYTES
            .saturating_sub(serde_json::to_vec(&self.fields).map_or(usize::MAX, |json| json.len()))
    }

    /// Adds a list, as many of its items as fit into `room` bytes, and how many are left out as `KEY_more`.
    pub(crate) fn set_list<T: Serialize>(&mut self, key: &str, items: Vec<T>, room: usize) {
        let (items, more) = fitting(items, room);
        self.set(key, items);
        if more > 0 {
            self.set(&format!("{key}_more"), more);
        }
    }

    /// Returns the fields of a resource, which has bounds of its own.
    pub(crate) fn into_resource(self) -> Map<String, Value> {
        self.fields
    }

    /// Returns the fields of what a tool answers.
    pub(crate) fn into_map(self) -> Map<String, Value> {
        debug_assert!(size(&self.fields) <= MAX_ANSWER_BYTES + 1, "{} bytes", size(&self.fields));
        self.fields
    }
}

/// Returns how many bytes a value takes in an answer, its comma included.
pub(crate) fn size(value: &impl Serialize) -> usize {
    serde_json::to_vec(value).map_or(usize::MAX, |json| json.len() + 1)
}

/// Returns at most `most` bytes of `text` as it stands in JSON, on one line, with an ellipsis when something is left out.
pub(crate) fn short(text: &str, most: usize) -> String {
    let (mut line, mut room) = (String::new(), most);
    // Where the ellipsis would go.
    let mut end = 0;
    let words = text.split_whitespace().enumerate();
    let spaced = words.flat_map(|(i, word)| (i > 0).then_some(' ').into_iter().chain(word.chars()));
    for c in spaced {
        if room < json_bytes(c) {
            line.truncate(end);
            line.push('…');
            return line;
        }
        room -= json_bytes(c);
        line.push(c);
        if room >= '…'.len_utf8() {
            end = line.len();
        }
    }
    line
}

/// Returns how many bytes a character takes in a JSON text.
fn json_bytes(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => c.len_utf8(),
    }
}

/// Returns the sentence of a refusal, which may repeat what the client said: the middle of a long one is left out, since its
/// start says what is wrong and its end what to do.
pub(crate) fn sentence(text: &str) -> String {
    let mut most = SENTENCE_BYTES;
    loop {
        let sentence = without_middle(text, most);
        // What has to be escaped takes up to six times as many bytes.
        if size(&sentence) <= SENTENCE_BYTES {
            return sentence;
        }
        most /= 2;
    }
}

fn without_middle(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let half = most / 2;
    let (start, end) = (text.floor_char_boundary(half), text.ceil_char_boundary(text.len() - half));
    format!("{} … {}", &text[..start], &text[end..])
}

/// Returns as many items as fit into `room` bytes, and how many are left out.
pub(crate) fn fitting<T: Serialize>(items: Vec<T>, room: usize) -> (Vec<T>, usize) {
    let all = items.len();
    let mut left = room;
    let taken: Vec<T> = items
        .into_iter()
        .take_while(|item| {
            let size = size(item);
            let fits = size <= left;
            left = left.saturating_sub(size);
            fits
        })
        .collect();
    let more = all - taken.len();
    (taken, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_are_one_line_within_bounds() {
        for (text, most, expected) in [
            ("a\n b", 9, "a b"),
            ("abcdefgh", 8, "abcdefgh"),
            ("abcdefghi", 8, "abcde…"),
            ("éééé", 6, "é…"),
            ("x", 0, "…"),
            ("\u{1}\u{1}", 11, "\u{1}…"),
            ("\"\"\"", 6, "\"\"\""),
            ("\"\"\"\"", 6, "\"…"),
        ] {
            assert_eq!(short(text, most), expected, "{text}");
        }
    }

    #[test]
    fn sentences_keep_their_ends() {
        assert_eq!(sentence("No."), "No.");
        for middle in ["x", "é", "\"", "\u{0}"] {
            let long = sentence(&format!("Wrong: {}. Call again.", middle.repeat(10_000)));
            assert!(long.starts_with("Wrong: ") && long.ends_with(". Call again."), "{long}");
            assert!(size(&long) <= SENTENCE_BYTES && size(&long) > SENTENCE_BYTES / 3, "{long}");
        }
    }

    #[test]
    fn what_fits_is_taken_in_order() {
        assert_eq!(fitting(vec!["aa", "bb", "cc"], 10), (vec!["aa", "bb"], 1));
        assert_eq!(fitting(vec!["a long one", "b"], 10), (Vec::new(), 2));
    }
}
