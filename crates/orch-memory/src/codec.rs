//! Events as stored text: compact JSON under a version.
//!
//! What is written has the current [`VOCABULARY_VERSION`], and [`decode`] reads no other: version 1 belongs to stores that
//! this program refuses to open, and of a newer version it cannot know what it means.

use std::sync::Arc;

use orch_core::{Actor, Event, Recorded, VOCABULARY_VERSION};
use serde::{Deserialize, Serialize};

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

/// An event with who caused it: one JSON object, in which `by` comes first.
#[derive(Serialize, Deserialize)]
struct Caused<By, Event> {
    by: By,
    #[serde(flatten)]
    event: Event,
}

/// How the body of an event with an actor begins.
const CAUSED: &[u8] = br#"{"by":"#;

/// Returns an event, and who caused it, as compact JSON of the current version.
pub(crate) fn encode(recorded: &Recorded) -> Result<String, serde_json::Error> {
    let event = &recorded.event;
    match recorded.by.as_deref().filter(|by| !by.is_empty()) {
        Some(by) => serde_json::to_string(&Caused { by, event }),
        None => serde_json::to_string(event),
    }
}

/// Reads an event of the current version, and who caused it. Fields that this program does not know are passed over.
pub(crate) fn decode(
    version: i64,
    body: &[u8],
) -> Result<(Event, Option<Arc<Actor>>), DecodeError> {
    let current = i64::from(VOCABULARY_VERSION);
    match version {
        version if version == current && body.starts_with(CAUSED) => {
            let Caused { by, event } = serde_json::from_slice(body)?;
            Ok((event, Some(by)))
        }
        version if version == current => Ok((serde_json::from_slice(body)?, None)),
        newer if newer > current => Err(DecodeError::Newer(newer)),
        other => Err(DecodeError::Other(other)),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use orch_core::{Seq, SkipReason, SubtaskIndex};

    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let event = Event::SubtaskSkipped {
            subtask: SubtaskIndex(3),
            because: SkipReason::Dependency { subtask: SubtaskIndex(1) },
        };
        let by = Actor::new().with_user("ann".to_owned());
        for (by, expected) in [
            (
                None,
                r#"{"type":"subtask_skipped","subtask":3,"because":{"kind":"dependency","subtask":1}}"#,
            ),
            (
                Some(Arc::default()),
                r#"{"type":"subtask_skipped","subtask":3,"because":{"kind":"dependency","subtask":1}}"#,
            ),
            (
                Some(Arc::new(by)),
                r#"{"by":{"user":"ann"},"type":"subtask_skipped","subtask":3,"because":{"kind":"dependency","subtask":1}}"#,
            ),
        ] {
            let recorded =
                Recorded::new(Seq(1), Timestamp::UNIX_EPOCH, event.clone()).with_by(by.clone());
            let body = encode(&recorded).unwrap();
            assert_eq!(body, expected);
            let by = by.filter(|by| !by.is_empty());
            let read = decode(i64::from(VOCABULARY_VERSION), body.as_bytes()).unwrap();
            assert_eq!(read, (event.clone(), by));
        }
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
