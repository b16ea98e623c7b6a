//! The digests that chain the events of a run.
//!
//! ```text
//! content = hash(run, seq, version, time, blob's name, body)    made by who asks
//! digest  = hash(digest of the event before, content)           made by the writer, which knows the event before
//! ```
//! A changed, missing, added or moved event breaks the chain there. The row of the run has the digest of its last event.

use orch_core::{Digest, RunId};

/// The digest of an event, or the hash of its content.
pub(crate) type Link = [u8; 32];

/// What stands before the first event.
pub(crate) const START: Link = [0; 32];

/// What an event consists of.
pub(crate) struct Content<'a> {
    pub(crate) run: RunId,
    pub(crate) seq: i64,
    /// Of the vocabulary.
    pub(crate) version: i64,
    /// Microseconds since 1970.
    pub(crate) at: i64,
    pub(crate) body: &'a [u8],
    /// The name of the blob that has the event's JSON.
    pub(crate) blob: Option<&'a str>,
}

impl Content<'_> {
    pub(crate) fn hash(&self) -> Link {
        let blob = self.blob.unwrap_or_default();
        let mut bytes = Vec::with_capacity(48 + blob.len() + self.body.len());
        bytes.extend(self.run.as_u128().to_be_bytes());
        for number in [self.seq, self.version, self.at, blob.len() as i64] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend(blob.as_bytes());
        bytes.extend(self.body);
        *Digest::of_bytes(&bytes).as_bytes()
    }
}

/// Returns the digest of an event with this content.
pub(crate) fn link(previous: &Link, content: &Link) -> Link {
    *Digest::of_bytes(&[*previous, *content].concat()).as_bytes()
}

/// The digest as a row of a run has it.
pub(crate) fn to_text(link: &Link) -> String {
    link.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_an_event_counts() {
        let run = RunId::new(jiff::Timestamp::UNIX_EPOCH, 1);
        let content = || Content { run, seq: 1, version: 1, at: 5, body: b"{}", blob: None };
        let other = RunId::new(jiff::Timestamp::UNIX_EPOCH, 1 << 100);
        let variants = [
            content(),
            Content { run: other, ..content() },
            Content { seq: 2, ..content() },
            Content { version: 2, ..content() },
            Content { at: 6, ..content() },
            Content { body: b"{ }", ..content() },
            Content { blob: Some("{}"), body: b"", ..content() },
        ];
        let hashes: std::collections::BTreeSet<Link> = variants.iter().map(Content::hash).collect();
        assert_eq!(hashes.len(), variants.len());
        let first = link(&START, &content().hash());
        assert_ne!(link(&first, &content().hash()), first, "and so does what stands before");
        assert_eq!(to_text(&START), "0".repeat(64));
    }
}
