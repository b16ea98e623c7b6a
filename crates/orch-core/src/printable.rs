//! Texts that others wrote, made fit for a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Tells whether a terminal would obey `c`, or hide it, instead of showing it: control characters (C0, DEL, C1), line and
/// paragraph separators, and what changes the direction of the text.
fn is_unshown(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// Returns `text` as one line that a terminal only shows: `\n`, `\r` and `\t` stand for themselves, every other control
/// character, line separator and change of direction for its number, such as `\u{1b}`.
///
/// Every text of a worker, a model, a file or a client goes through this, or through [`printable_lines`], on its way to a
/// terminal or a log: else it could drive the terminal of the reader, or forge a line of ours.
///
/// ```
/// assert_eq!(orch_core::printable("red \u{1b}[31m\n✓ done"), r"red \u{1b}[31m\n✓ done");
/// ```
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(
        text,
        |_| false,
        |out, c| match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other => number(out, other),
        },
    )
}

/// Returns `text` like [`printable`], but keeps its lines and tabs. A line end of two characters (`\r\n`) becomes `\n`.
///
/// ```
/// assert_eq!(orch_core::printable_lines("a\tb\r\nc\u{7}"), "a\tb\nc\\u{7}");
/// ```
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    let is_kept = |c| matches!(c, '\n' | '\t');
    let escape = |out: &mut String, c| match c {
        '\r' => out.push_str("\\r"),
        other => number(out, other),
    };
    if text.contains("\r\n") {
        let unix = text.replace("\r\n", "\n");
        return Cow::Owned(escaped(&unix, is_kept, escape).into_owned());
    }
    escaped(text, is_kept, escape)
}

/// Returns a JSON document with the same meaning that a terminal only shows: what [`printable_lines`] would replace stands as
/// an escape of JSON (`\u009b`), which only strings can hold.
///
/// ```
/// let json = "{\"a\":\"\u{9b}2J\"}";
/// assert_eq!(orch_core::printable_json(json), r#"{"a":"\u009b2J"}"#);
/// ```
pub fn printable_json(json: &str) -> Cow<'_, str> {
    let is_layout = |c| matches!(c, '\n' | '\r' | '\t');
    escaped(json, is_layout, |out, c| {
        // Writing to a string cannot fail.
        let _ = write!(out, "\\u{:04x}", u32::from(c));
    })
}

fn number(out: &mut String, c: char) {
    // Writing to a string cannot fail.
    let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
}

fn escaped(
    text: &str,
    is_kept: impl Fn(char) -> bool,
    escape: impl Fn(&mut String, char),
) -> Cow<'_, str> {
    let must_go = |c| is_unshown(c) && !is_kept(c);
    let Some(first) = text.find(must_go) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(&text[..first]);
    for c in text[first..].chars() {
        if must_go(c) { escape(&mut out, c) } else { out.push(c) }
    }
    Cow::Owned(out)
}
