//! How a report is read: as a result, or as the word that the work failed. Everybody who takes reports asks here: the MCP
//! tools, the command line, and command workers.

use serde::Deserialize;
use serde_json::Value;

/// What an agent that cannot do its part begins its answer with.
pub const FAILED_PREFIX: &str = "FAILED:";

/// The most bytes of a failure's message; the whole text stays the output of the failed attempt.
const MAX_MESSAGE_BYTES: usize = 4_000;

/// How a report is read, see [`read_report`].
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// A result. `despite` is the sign of a failure that an explicit `success: true` beside the result overruled.
    Result {
        /// What would have made it a failure.
        despite: Option<FailureSign>,
    },
    /// The work failed.
    Failure {
        /// What says so.
        sign: FailureSign,
        /// Why it failed, at most 4,000 bytes; `None` when the report does not say.
        message: Option<String>,
        /// The `cause` that the result names, as it stands there.
        cause: Option<Value>,
    },
    /// There is nothing in it: null, or a text of white space only.
    Blank,
}

/// What makes a report a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureSign {
    /// `success: false` beside the result.
    SuccessFalse,
    /// An `error_message` beside the result.
    ErrorMessage,
    /// The result is an object, or the text of one, with `success` false.
    InResult,
    /// The first line of the text begins with [`FAILED_PREFIX`].
    Prefix,
}

impl FailureSign {
    /// Returns the sign as a clause: "its `success` is false".
    pub fn clause(self) -> &'static str {
        match self {
            Self::SuccessFalse => "`success` is false",
            Self::ErrorMessage => "it has an `error_message`",
            Self::InResult => "the result says `success: false`",
            Self::Prefix => "its first line begins with `FAILED:`",
        }
    }
}

/// Reads a report: its `output`, and what is said beside it.
///
/// It is a failure when `success` is `Some(false)` or there is an `error_message`; when the output is an object, or a text that
/// is one in JSON, whose `success` is `false` or `"false"`; and when the first line of a text begins with `FAILED:`. An explicit
/// `Some(true)` wins over all of these. Any other output is a result, `{}`, `[]`, `0` and `false` too.
///
/// ```
/// use orch_core::{FailureSign, Reading, read_report};
/// use serde_json::json;
///
/// let Reading::Failure { sign, message, .. } = read_report(&json!("FAILED: no repository"), None, None) else { panic!() };
/// assert_eq!((sign, message.as_deref()), (FailureSign::Prefix, Some("no repository")));
/// let overruled = read_report(&json!("FAILED: 2 of 90 tests"), Some(true), None);
/// assert_eq!(overruled, Reading::Result { despite: Some(FailureSign::Prefix) });
/// ```
pub fn read_report(output: &Value, success: Option<bool>, error_message: Option<&str>) -> Reading {
    let error_message = error_message.and_then(filled);
    let in_output = sign_in(output);
    let beside = match (success, error_message) {
        (Some(false), _) => Some(FailureSign::SuccessFalse),
        (Some(true) | None, Some(_)) => Some(FailureSign::ErrorMessage),
        (Some(true) | None, None) => None,
    };
    let sign = beside.or(in_output.as_ref().map(|said| said.sign));
    if success != Some(true)
        && let Some(sign) = sign
    {
        let (own, cause) = in_output.map_or((None, None), |said| (said.message, said.cause));
        let text = || output.as_str().and_then(filled);
        let message = error_message.map(short).or(own).or_else(|| match sign {
            // The text beside an explicit `success: false` says why.
            FailureSign::SuccessFalse => text().map(short),
            FailureSign::ErrorMessage | FailureSign::InResult | FailureSign::Prefix => None,
        });
        return Reading::Failure { sign, message, cause };
    }
    match output {
        Value::Null => Reading::Blank,
        Value::String(text) if filled(text).is_none() => Reading::Blank,
        Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => Reading::Result { despite: sign },
    }
}

/// What an output says of a failure.
struct Said {
    sign: FailureSign,
    message: Option<String>,
    cause: Option<Value>,
}

/// The fields of an object that say so.
#[derive(Deserialize)]
struct Fields {
    success: Option<Value>,
    error_message: Option<Value>,
    error: Option<Value>,
    cause: Option<Value>,
}

fn sign_in(output: &Value) -> Option<Said> {
    match output {
        Value::Object(_) => in_object(Fields::deserialize(output).ok()?),
        Value::String(text) => in_text(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}

fn in_text(text: &str) -> Option<Said> {
    let start = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    if start.starts_with('{') {
        return in_object(serde_json::from_str(start).ok()?);
    }
    // Models like to set such a word in bold. A quotation, a heading or code that begins so is a result: it may be about a log.
    let bold = || start.strip_prefix("**FAILED:**");
    let rest = start.strip_prefix(FAILED_PREFIX).or_else(bold)?;
    let message = filled(rest).map(short);
    Some(Said { sign: FailureSign::Prefix, message, cause: None })
}

fn in_object(fields: Fields) -> Option<Said> {
    let is_false = match &fields.success {
        Some(Value::Bool(success)) => !success,
        Some(Value::String(word)) => word.trim().eq_ignore_ascii_case("false"),
        None | Some(Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_)) => false,
    };
    let said = [fields.error_message, fields.error];
    let message = said.iter().flatten().find_map(|value| value.as_str().and_then(filled));
    let message = message.map(short);
    let cause = fields.cause.filter(|cause| !cause.is_null());
    is_false.then_some(Said { sign: FailureSign::InResult, message, cause })
}

fn filled(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

fn short(text: &str) -> String {
    if text.len() <= MAX_MESSAGE_BYTES {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(MAX_MESSAGE_BYTES - '…'.len_utf8())])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn fails(output: Value, expected: FailureSign, expected_message: Option<&str>) {
        let reading = read_report(&output, None, None);
        let Reading::Failure { sign, message, .. } = reading else {
            panic!("{output}: {reading:?}")
        };
        assert_eq!((sign, message.as_deref()), (expected, expected_message), "{output}");
        let overruled = Reading::Result { despite: Some(expected) };
        assert_eq!(read_report(&output, Some(true), None), overruled, "{output}");
    }

    #[test]
    fn a_result_that_says_so_is_a_failure() {
        let no_repo = Some("no repo");
        fails(json!("FAILED: no repo"), FailureSign::Prefix, no_repo);
        fails(json!("\u{feff}\n  FAILED:no repo\n"), FailureSign::Prefix, no_repo);
        fails(json!("**FAILED:** no repo"), FailureSign::Prefix, no_repo);
        fails(json!("FAILED: no\nrepo"), FailureSign::Prefix, Some("no\nrepo"));
        fails(json!("FAILED:"), FailureSign::Prefix, None);
        fails(json!({ "success": false }), FailureSign::InResult, None);
        fails(
            json!({ "success": false, "error_message": " no repo " }),
            FailureSign::InResult,
            no_repo,
        );
        fails(json!({ "success": "False", "error": "no repo" }), FailureSign::InResult, no_repo);
        fails(json!({ "success": false, "error_message": 5 }), FailureSign::InResult, None);
        let text = r#" {"success": false, "error_message": "no repo", "files": [1]} "#;
        fails(json!(text), FailureSign::InResult, no_repo);
    }

    #[test]
    fn anything_else_is_a_result() {
        for output in [
            json!({}),
            json!([]),
            json!(0),
            json!(false),
            json!({ "status": "failed" }),
            json!({ "success": true }),
            json!({ "success": null }),
            json!({ "success": 0 }),
            json!({ "error_message": "inside" }),
            json!([{ "success": false }]),
            json!("All tests pass.\nFAILED: 0"),
            json!("failed: 0"),
            json!("`FAILED: a.py` is the line to look for"),
            json!("> FAILED: quoted"),
            json!("[{\"success\": false}]"),
            json!("{success: false}"),
        ] {
            assert_eq!(
                read_report(&output, None, None),
                Reading::Result { despite: None },
                "{output}"
            );
        }
    }

    #[test]
    fn what_stands_beside_the_result_counts() {
        let read = |output, success, message| match read_report(&output, success, message) {
            Reading::Failure { sign, message, .. } => (Some(sign), message),
            Reading::Result { .. } | Reading::Blank => (None, None),
        };
        let stated = Some(FailureSign::SuccessFalse);
        assert_eq!(read(json!(null), Some(false), Some("x")), (stated, Some("x".to_owned())));
        assert_eq!(read(json!("why"), Some(false), None), (stated, Some("why".to_owned())));
        assert_eq!(read(json!("FAILED: why"), Some(false), None), (stated, Some("why".to_owned())));
        assert_eq!(read(json!({ "a": 1 }), Some(false), None), (stated, None));
        let message = Some(FailureSign::ErrorMessage);
        assert_eq!(read(json!(1), None, Some("x")), (message, Some("x".to_owned())));
        assert_eq!(read(json!(1), None, Some(" ")), (None, None), "a blank message says nothing");
        assert_eq!(read(json!(1), Some(true), Some("x")), (None, None));
    }

    #[test]
    fn nothing_is_blank() {
        for (output, success) in
            [(json!(null), None), (json!(""), None), (json!(" \n"), None), (json!(""), Some(true))]
        {
            assert_eq!(read_report(&output, success, None), Reading::Blank, "{output}");
        }
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let long = json!(format!("FAILED: {}", "é".repeat(10_000)));
        let Reading::Failure { message: Some(message), .. } = read_report(&long, None, None) else {
            panic!()
        };
        assert!(message.len() <= MAX_MESSAGE_BYTES && message.ends_with("é…"), "{}", message.len());
    }
}
