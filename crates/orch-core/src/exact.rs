//! Numbers as they were written: what a 64-bit integer or a double cannot hold is refused, never rounded in silence.

use serde_json::Value;
use thiserror::Error;

/// How much of a number a message repeats, in characters.
const SHOWN: usize = 60;

/// Why a number would not stay what was written. Each message says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NumberFault {
    /// An integer with zeros in front: octal for some, decimal for others, and for most a text, such as a file mode.
    #[error("the number {0} begins with 0, which would be lost; quote it, or leave the 0 out")]
    LeadingZero(String),
    /// An integer of more than 64 bits.
    #[error("the integer {0} does not fit into 64 bits; quote it, so that it is a text")]
    TooLong(String),
    /// A number beyond the range of a double.
    #[error("the number {0} is out of range; quote it, so that it is a text")]
    OutOfRange(String),
}

impl NumberFault {
    /// Judges a number as it was written; `None` when it is kept, or when `written` is no number. A fraction may be rounded to
    /// the nearest double.
    ///
    /// ```
    /// use orch_core::NumberFault;
    ///
    /// assert_eq!(NumberFault::of("0755"), Some(NumberFault::LeadingZero("0755".to_owned())));
    /// assert_eq!(NumberFault::of("755"), None);
    /// ```
    pub fn of(written: &str) -> Option<Self> {
        let digits = written.strip_prefix(['+', '-']).unwrap_or(written);
        if !digits.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let shown = || {
            let head: String = written.chars().take(SHOWN).collect();
            if head.len() < written.len() { head + "…" } else { head }
        };
        if digits.bytes().all(|byte| byte.is_ascii_digit()) {
            if digits.len() > 1 && digits.starts_with('0') {
                return Some(Self::LeadingZero(shown()));
            }
            let fits = written.parse::<i64>().is_ok() || written.parse::<u64>().is_ok();
            return (!fits).then(|| Self::TooLong(shown()));
        }
        let value: f64 = written.parse().ok()?;
        let mantissa = digits.split(['e', 'E']).next().unwrap_or_default();
        let vanished = value == 0.0 && mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
        (value.is_infinite() || vanished).then(|| Self::OutOfRange(shown()))
    }

    /// Finds the first number of a JSON text that would not stay what was written. What is no JSON has none, or any.
    pub fn in_json(json: &[u8]) -> Option<Self> {
        let mut rest = json;
        while let Some((first, after)) = rest.split_first() {
            rest = match first {
                b'"' => after_string(after),
                b'-' | b'0'..=b'9' => {
                    let is_part =
                        |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                    let end = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
                    let (number, after) = rest.split_at(end);
                    let fault = std::str::from_utf8(number).ok().and_then(Self::of);
                    if fault.is_some() {
                        return fault;
                    }
                    after
                }
                _ => after,
            };
        }
        None
    }
}

/// Returns what follows a string, whose opening quote was read.
fn after_string(mut rest: &[u8]) -> &[u8] {
    while let Some((byte, after)) = rest.split_first() {
        rest = match byte {
            b'"' => return after,
            b'\\' => after.get(1..).unwrap_or_default(),
            _ => after,
        };
    }
    rest
}

/// Why a text is no JSON whose numbers can be kept.
#[derive(Debug, Error)]
pub enum JsonError {
    /// It is no JSON.
    #[error("no JSON: {0}")]
    Syntax(#[source] serde_json::Error),
    /// One of its numbers would change.
    #[error(transparent)]
    Number(#[from] NumberFault),
}

/// Reads JSON that somebody else wrote, with every number as it was written.
///
/// # Errors
/// When it is no JSON, or when a number in it would change.
pub fn read_json(json: &[u8]) -> Result<Value, JsonError> {
    // JSON that is whole but for a number out of range is not read either: only then is a fault of a number worth more.
    let read = serde_json::from_slice(json);
    match (read, NumberFault::in_json(json)) {
        (Ok(value), None) => Ok(value),
        (Ok(_), Some(fault)) => Err(fault.into()),
        (Err(_), Some(fault)) if serde_json::from_slice::<serde::de::IgnoredAny>(json).is_ok() => {
            Err(fault.into())
        }
        (Err(error), _) => Err(JsonError::Syntax(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_kept_or_refused() {
        use NumberFault::{LeadingZero, OutOfRange, TooLong};
        type Fault = fn(String) -> NumberFault;
        let cases: [(&str, Option<Fault>); 24] = [
            ("0", None),
            ("-1", None),
            ("+7", None),
            ("0.5", None),
            ("3.10", None),
            ("0.0", None),
            ("0e5", None),
            ("1234567e2", None),
            ("9223372036854775807", None),
            ("18446744073709551615", None),
            ("-9223372036854775808", None),
            ("0xFF", None),
            ("1.7976931348623157e308", None),
            ("v1", None),
            ("", None),
            ("-", None),
            ("0755", Some(LeadingZero)),
            ("-012", Some(LeadingZero)),
            ("00", Some(LeadingZero)),
            ("18446744073709551616", Some(TooLong)),
            ("-9223372036854775809", Some(TooLong)),
            ("1e400", Some(OutOfRange)),
            ("-1.5E+999", Some(OutOfRange)),
            ("1e-400", Some(OutOfRange)),
        ];
        for (written, fault) in cases {
            assert_eq!(
                NumberFault::of(written),
                fault.map(|fault| fault(written.to_owned())),
                "{written}"
            );
        }
        let long = NumberFault::of(&"9".repeat(1_000)).unwrap().to_string();
        assert!(long.len() < 200, "{long}");
    }

    #[test]
    fn json_is_read_with_its_numbers_as_they_are() {
        for json in [
            r#"{"id": 616581622363398142, "ratio": 0.30000000000000004, "n": [18446744073709551615, -1]}"#,
            r#""12345678901234567890123""#,
            r#"{"a\"9999999999999999999999": "1e999"}"#,
            "[1,2.5e3]",
        ] {
            let value = read_json(json.as_bytes()).unwrap();
            assert_eq!(value, serde_json::from_str::<Value>(json).unwrap());
        }
        for (json, said) in [
            (
                r#"{"wei": 115792089237316195423570985008687907853}"#,
                "115792089237316195423570985008687907853 does not fit into 64 bits",
            ),
            ("[-9223372036854775809]", "-9223372036854775809 does not fit"),
            ("1e400", "the number 1e400 is out of range"),
            (r#"["x", 1e-999]"#, "out of range"),
            ("hello 99999999999999999999999", "no JSON"),
            ("[01]", "no JSON"),
            ("", "no JSON"),
            ("[1e400", "no JSON"),
        ] {
            let error = read_json(json.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(said), "{json}: {error}");
        }
    }
}
