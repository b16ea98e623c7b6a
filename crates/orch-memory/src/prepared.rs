//! An append in the form in which it is stored: made by who asks, so that the writer has less to do. The same for every
//! database.

use std::sync::Arc;

use orch_core::journal::{Append, AppendError, Blob, Recorded, RunHead, RunSummary};
use orch_core::{BoxError, Digest, Epoch, LockName, OwnerId, RunId, Seq, VOCABULARY_VERSION};

use crate::codec;
use crate::journal::chain::{self, Content, Link};

/// An event whose JSON is longer than this many bytes is kept as a blob.
const INLINE: usize = 16 << 10;

/// An event as it is stored.
pub(crate) struct EventRow {
    pub(crate) run: RunId,
    pub(crate) seq: i64,
    /// Microseconds since 1970.
    pub(crate) at: i64,
    pub(crate) body: String,
    /// Where the event is when it is large; `body` then has its type only.
    pub(crate) blob: Option<Digest>,
    /// The hash of all of that.
    pub(crate) content: Link,
    /// The digest that the event has after those before it; known when the append is admitted.
    pub(crate) digest: Link,
}

/// An encoded append.
pub(crate) struct Prepared {
    pub(crate) head: Arc<RunHead>,
    pub(crate) expected: Seq,
    pub(crate) epoch: Option<Epoch>,
    /// Who owns a new run, and with which epoch.
    pub(crate) first_owner: (Option<OwnerId>, Epoch),
    pub(crate) last: Seq,
    pub(crate) updated_at: i64,
    pub(crate) summary: RunSummary,
    /// The counts of the summary as JSON.
    pub(crate) counts: String,
    pub(crate) rows: Vec<EventRow>,
    pub(crate) blobs: Vec<Blob>,
    pub(crate) take: Vec<LockName>,
    pub(crate) free: Vec<LockName>,
}

/// Why an append makes no sense, whatever is in the store.
#[derive(Debug, thiserror::Error)]
#[error("event {found} stands where {expected} was expected")]
struct Misnumbered {
    expected: Seq,
    found: Seq,
}

impl Prepared {
    /// Encodes `append`.
    ///
    /// # Errors
    /// When an event has no JSON form or the events are not numbered in sequence; nothing was written.
    pub(crate) fn new(append: Append) -> Result<Self, AppendError> {
        let run = append.head.run;
        let refuse = |source| AppendError::Store { run, source };
        let first_owner = (append.owner.clone(), append.first_epoch());
        let mut blobs = append.blobs;
        let mut rows = Vec::with_capacity(append.events.len());
        let mut last = append.expected;
        for recorded in append.events.iter() {
            last = last.next();
            if recorded.seq != last {
                return Err(refuse(Box::new(Misnumbered { expected: last, found: recorded.seq })));
            }
            rows.push(encode(run, recorded, &mut blobs).map_err(refuse)?);
        }
        let counts = serde_json::to_string(&append.summary.counts);
        Ok(Self {
            updated_at: rows.last().map_or(0, |row| row.at),
            counts: counts.map_err(|error| refuse(error.into()))?,
            head: append.head,
            expected: append.expected,
            epoch: append.epoch,
            first_owner,
            last,
            summary: append.summary,
            rows,
            blobs,
            take: append.take,
            free: append.free,
        })
    }

    pub(crate) fn run(&self) -> RunId {
        self.head.run
    }
}

/// Encodes an event; a large one goes to `blobs` and leaves its type and the blob's name.
fn encode(run: RunId, recorded: &Recorded, blobs: &mut Vec<Blob>) -> Result<EventRow, BoxError> {
    let seq = recorded.seq.0.cast_signed();
    let at = recorded.at.as_microsecond();
    let (body, blob) = match codec::encode(recorded)? {
        body if body.len() <= INLINE => (body, None),
        body => {
            let blob = Blob::new(body.into_bytes());
            let hash = blob.name.hash;
            blobs.push(blob);
            (format!(r#"{{"type":"{}"}}"#, recorded.event.name()), Some(hash))
        }
    };
    let (name, version) = (blob.map(|hash| hash.to_string()), i64::from(VOCABULARY_VERSION));
    let content = Content { run, seq, version, at, body: body.as_bytes(), blob: name.as_deref() };
    let content = content.hash();
    Ok(EventRow { run, seq, at, body, blob, content, digest: chain::START })
}
