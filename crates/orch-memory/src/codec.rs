//! Events as stored text: compact JSON under a version.
//!
//! What is written has the current [`VOCABULARY_VERSION`]. What is read may be older: [`decode`] is the one place where it
//! is brought up to the present shape, so that nothing else ever sees an old event. A newer version is refused: this
//! program cannot know what it means.

use orch_core::{Event, VOCABULARY_VERSION};

/// Why a stored event cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    /// A later program wrote it.
    #[error("it has version {0} of the vocabulary, and this program knows {VOCABULARY_VERSION}")]
    Newer(i64),
    /// No program wrote it.
    #[error("there never was a version {0} of the vocabulary")]
    NoSuchVersion(i64),
    /// It is damaged.
    #[error("{0}")]
    Body(#[from] serde_json::Error),
}

/// Returns `event` as compact JSON of the current version.
pub(crate) fn encode(event: &Event) -> Result<String, serde_json::Error> {
    serde_json::to_string(event)
}

/// Reads an event of any version up to the current one.
pub(crate) fn decode(version: i64, body: &[u8]) -> Result<Event, DecodeError> {
    let current = i64::from(VOCABULARY_VERSION);
    // Once version 2 exists: `1 => from_v1(serde_json::from_slice(body)?)`, which changes the JSON value, not the type.
    match version {
        1 => Ok(serde_json::from_slice(body)?),
        newer if newer > current => Err(DecodeError::Newer(newer)),
        other => Err(DecodeError::NoSuchVersion(other)),
    }
}

#[cfg(test)]
mod tests {
    use orch_core::SubtaskIndex;

    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let event = Event::SubtaskSkipped { subtask: SubtaskIndex(3), because: SubtaskIndex(1) };
        let body = encode(&event).unwrap();
        assert_eq!(body, r#"{"type":"subtask_skipped","subtask":3,"because":1}"#);
        assert_eq!(decode(i64::from(VOCABULARY_VERSION), body.as_bytes()).unwrap(), event);
    }

    #[test]
    fn other_versions_and_damaged_bodies_are_refused() {
        let check = |version: i64, body: &str, expected: &str| {
            let error = decode(version, body.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        };
        let body = r#"{"type":"width_changed","width":2}"#;
        check(i64::from(VOCABULARY_VERSION) + 1, body, "version 2 of the vocabulary");
        check(0, body, "never was a version 0");
        check(1, "{\"type\":\"width_changed\"", "EOF");
        check(1, r#"{"type":"moon_landed"}"#, "moon_landed");
        check(1, "", "EOF");
    }
}
