//! Texts of others on their way to a terminal.

use orch_core::{printable, printable_json, printable_lines};
use proptest::prelude::*;

/// What a terminal would obey, or hide.
const HOSTILE: &str = "\0\u{7}\u{8}\u{b}\r\u{1b}\u{7f}\u{80}\u{85}\u{9b}\u{9f}\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";

#[test]
fn what_a_terminal_would_obey_is_shown() {
    for (text, line, lines) in [
        ("", "", ""),
        ("plain ✓ äöü 日本 👩‍💻", "plain ✓ äöü 日本 👩‍💻", "plain ✓ äöü 日本 👩‍💻"),
        ("a\nb\tc", r"a\nb\tc", "a\nb\tc"),
        ("a\r\nb\rc", r"a\r\nb\rc", "a\nb\\rc"),
        ("\u{1b}[2J", r"\u{1b}[2J", r"\u{1b}[2J"),
        ("\u{1b}]0;pwned\u{7}", r"\u{1b}]0;pwned\u{7}", r"\u{1b}]0;pwned\u{7}"),
        ("\u{9b}31m\u{7f}", r"\u{9b}31m\u{7f}", r"\u{9b}31m\u{7f}"),
        ("user\u{202e}nimda", r"user\u{202e}nimda", r"user\u{202e}nimda"),
        ("a\u{2028}b", r"a\u{2028}b", r"a\u{2028}b"),
    ] {
        assert_eq!(printable(text), line);
        assert_eq!(printable_lines(text), lines);
    }
    for c in HOSTILE.chars() {
        assert!(!printable(&c.to_string()).contains(c), "{c:?}");
        assert!(!printable_lines(&c.to_string()).contains(c), "{c:?}");
    }
}

fn is_harmless(text: &str, but: &str) -> bool {
    text.chars().all(|c| but.contains(c) || !(c.is_control() || HOSTILE.contains(c)))
}

/// Texts with much that is hostile.
fn text() -> impl Strategy<Value = String> {
    let hostile = prop::sample::select(HOSTILE.chars().chain("\n\t".chars()).collect::<Vec<_>>());
    let chars = prop_oneof![hostile, any::<char>()];
    prop::collection::vec(chars, 0..40).prop_map(String::from_iter)
}

proptest! {
    #[test]
    fn nothing_hostile_is_left_and_what_is_harmless_stays(text in text()) {
        let (line, lines) = (printable(&text), printable_lines(&text));
        prop_assert!(is_harmless(&line, ""), "{line:?}");
        prop_assert!(is_harmless(&lines, "\n\t"), "{lines:?}");
        prop_assert_eq!(lines.lines().count(), text.replace("\r\n", "\n").split_terminator('\n').count());
        prop_assert_eq!(&printable(&line), &line, "shown twice is shown once");
        if is_harmless(&text, "") {
            prop_assert_eq!(&line, &text);
        }
    }

    #[test]
    fn a_document_keeps_its_meaning(key in text(), value in text()) {
        let document = serde_json::json!({ key: [value] });
        let json = format!("{document:#}");
        let shown = printable_json(&json);
        prop_assert!(is_harmless(&shown, "\n"), "{shown:?}");
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), document);
    }
}
