//! Events as stored text: compact JSON under a version.
//!
//! What is written has the current [`VOCABULARY_VERSION`], and [`decode`] reads no other: version 1 belongs to stores that
//! this program refuses to open, and of a newer version it cannot know what it means.

use orch_core::{Event, VOCABULARY_VERSION};

/// Why a stored event cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    /// A later program wrote it.
    #[error("it has version {0} of the vocabulary, and this program knows {VOCABULARY_VERSION}")]
    Newer(i64),
    /// An earlier program wrote it, or none.
    #[error(
        "it has version {0} of the vocabulary, and this program reads only {VOCABULARY_VERSION}"
    )]
    Other(i64),
    /// It is damaged.
    #[error("{0}")]
    Body(#[from] serde_json::Error),
}

/// Returns `event` as compact JSON of the current version.
pub(crate) fn encode(event: &Event) -> Result<String, serde_json::Error> {
    serde_json::to_string(event)
}

/// Reads an event of the current version. Fields that this program does not know are passed over.
pub(crate) fn decode(version: i64, body: &[u8]) -> Result<Event, DecodeError> {
    let current = i64::from(VOCABULARY_VERSION);
    match version {
        version if version == current => Ok(serde_json::from_slice(body)?),
        newer if newer > current => Err(DecodeError::Newer(newer)),
        other => Err(DecodeError::Other(other)),
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
        let body = r#"{"type":"concurrency_limit_changed","concurrency_limit":2}"#;
        check(i64::from(VOCABULARY_VERSION) + 1, body, "version 3 of the vocabulary");
        check(0, body, "version 0 of the vocabulary");
        check(1, body, "version 1 of the vocabulary");
        check(2, "{\"type\":\"concurrency_limit_changed\"", "EOF");
        check(2, r#"{"type":"moon_landed"}"#, "moon_landed");
        check(2, "", "EOF");
    }
}
