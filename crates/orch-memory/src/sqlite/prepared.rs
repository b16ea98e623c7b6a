//! An append in the form in which it is stored: made by who asks, so that the writer has less to do.

use std::sync::Arc;

use orch_core::journal::{Append, AppendError, Blob, Recorded, RunHead, RunSummary};
use orch_core::{BoxError, Epoch, LockName, RunId, Seq};

use super::events::EventRow;
use crate::codec;

/// An event whose JSON is longer than this many bytes is kept as a blob.
const INLINE: usize = 16 << 10;

/// An encoded append.
pub(super) struct Prepared {
    pub(super) head: Arc<RunHead>,
    pub(super) name: Arc<str>,
    pub(super) expected: Seq,
    pub(super) epoch: Option<Epoch>,
    pub(super) last: Seq,
    pub(super) updated_at: i64,
    pub(super) summary: RunSummary,
    /// The counts of the summary as JSON.
    pub(super) counts: String,
    pub(super) rows: Vec<EventRow>,
    pub(super) blobs: Vec<Blob>,
    pub(super) take: Vec<LockName>,
    pub(super) free: Vec<LockName>,
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
    pub(super) fn new(append: Append) -> Result<Self, AppendError> {
        let run = append.head.run;
        let refuse = |source| AppendError::Store { run, source };
        let name: Arc<str> = run.to_string().into();
        let mut blobs = append.blobs;
        let mut rows = Vec::with_capacity(append.events.len());
        let mut last = append.expected;
        for recorded in append.events.iter() {
            last = last.next();
            if recorded.seq != last {
                return Err(refuse(Box::new(Misnumbered { expected: last, found: recorded.seq })));
            }
            rows.push(encode(&name, recorded, &mut blobs).map_err(refuse)?);
        }
        let counts = serde_json::to_string(&append.summary.counts);
        Ok(Self {
            name,
            updated_at: rows.last().map_or(0, |row| row.at),
            counts: counts.map_err(|error| refuse(error.into()))?,
            head: append.head,
            expected: append.expected,
            epoch: append.epoch,
            last,
            summary: append.summary,
            rows,
            blobs,
            take: append.take,
            free: append.free,
        })
    }

    pub(super) fn run(&self) -> RunId {
        self.head.run
    }
}

/// Encodes an event; a large one goes to `blobs` and leaves its type and the blob's name.
fn encode(
    run: &Arc<str>,
    recorded: &Recorded,
    blobs: &mut Vec<Blob>,
) -> Result<EventRow, BoxError> {
    let run = run.clone();
    let seq = recorded.seq.0.cast_signed();
    let at = recorded.at.as_microsecond();
    let body = codec::encode(&recorded.event)?;
    if body.len() <= INLINE {
        return Ok(EventRow { run, seq, at, body, blob: None });
    }
    let blob = Blob::new(body.into_bytes());
    let hash = blob.name.hash;
    blobs.push(blob);
    let body = format!(r#"{{"type":"{}"}}"#, recorded.event.name());
    Ok(EventRow { run, seq, at, body, blob: Some(hash) })
}
