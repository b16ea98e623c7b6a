//! Rows as they are read, the same from every database, and what they mean.

use std::collections::HashMap;

use jiff::Timestamp;
use orch_core::journal::{
    AttemptProcess, JournalError, Owner, ProcessId, Recorded, RunHead, RunRow, RunSummary,
};
use orch_core::{BoxError, ComplexTask, Digest, Epoch, Fence, RequestKey, RunId, Seq};

use super::chain::{Content, Link};
use crate::codec;
use crate::sql::row;

/// How many events are read at a time: enough to make the query itself cheap, few enough that no read transaction stays open
/// for long.
pub(crate) const PAGE: i64 = 1_024;

row! {
/// A row of `orch_events`.
pub(crate) struct StoredEvent {
    pub(crate) seq: i64,
    version: i64,
    at: i64,
    body: Vec<u8>,
    blob: Option<String>,
    pub(crate) digest: Vec<u8>,
}
}

impl StoredEvent {
    /// Returns the name of the blob that the event is in.
    pub(crate) fn blob(&self, run: RunId) -> Result<Option<Digest>, JournalError> {
        let Some(hash) = &self.blob else { return Ok(None) };
        hash.parse().map(Some).map_err(|_| self.corrupt(run, format!("`{hash}` names no blob")))
    }

    /// Reads the event; `blob` has the bytes of [`blob`](Self::blob) as far as they are there.
    pub(crate) fn into_recorded(
        self,
        run: RunId,
        blob: Option<Vec<u8>>,
    ) -> Result<Recorded, JournalError> {
        let body = match (&self.blob, &blob) {
            (None, _) => &self.body,
            (Some(_), Some(bytes)) => bytes,
            (Some(hash), None) => {
                return Err(self.corrupt(run, format!("its blob {hash} is missing")));
            }
        };
        let at = Timestamp::from_microsecond(self.at);
        let at = at.map_err(|error| self.corrupt(run, error.to_string()))?;
        let event = codec::decode(self.version, body);
        let (event, by) = event.map_err(|error| self.corrupt(run, error.to_string()))?;
        Ok(Recorded::new(Seq(self.seq.cast_unsigned()), at, event).with_by(by))
    }

    /// Returns the hash of the event's content.
    pub(crate) fn content(&self, run: RunId) -> Link {
        let Self { seq, version, at, ref body, ref blob, digest: _ } = *self;
        Content { run, seq, version, at, body, blob: blob.as_deref() }.hash()
    }

    fn corrupt(&self, run: RunId, reason: String) -> JournalError {
        event_corrupt(run, self.seq, reason)
    }
}

/// Says that an event cannot be read.
pub(crate) fn event_corrupt(run: RunId, seq: i64, reason: impl Into<String>) -> JournalError {
    JournalError::Corrupt { what: format!("event {seq} of run {run}"), reason: reason.into() }
}

row! {
/// A row of `orch_runs`, with that of its owner in `orch_owners`.
pub(crate) struct StoredRun {
    run: String,
    project: String,
    task_id: String,
    task_type: String,
    description: String,
    request_key: Option<String>,
    phase: String,
    end_status: Option<String>,
    counts: String,
    seq: i64,
    epoch: i64,
    rev: i64,
    created_at: i64,
    updated_at: i64,
    id: Option<String>,
    name: Option<String>,
    pid: Option<i64>,
    start: Option<i64>,
    boot: Option<String>,
    until: Option<i64>,
}
}

impl StoredRun {
    /// What is to be read; a condition follows.
    pub(crate) const SELECT: &str = "SELECT r.run, r.project, r.task_id, r.task_type, \
         r.description, r.request_key, r.phase, r.end_status, r.counts, r.seq, r.epoch, r.rev, \
         r.created_at, r.updated_at, o.id, o.name, o.pid, o.start, o.boot, o.until \
         FROM orch_runs AS r LEFT JOIN orch_owners AS o ON o.id = r.owner WHERE ";

    pub(crate) fn into_row(self) -> Result<RunRow, JournalError> {
        let what = format!("run {}", self.run);
        self.try_into_row()
            .map_err(|error| JournalError::Corrupt { what, reason: error.to_string() })
    }

    fn try_into_row(self) -> Result<RunRow, BoxError> {
        let task = ComplexTask::new(self.task_id, self.description, self.task_type);
        let created_at = Timestamp::from_microsecond(self.created_at)?;
        let head = RunHead::new(self.run.parse()?, self.project.into(), &task, created_at)
            .with_request_key(self.request_key.map(RequestKey::from));
        let end = self.end_status.map(|word| word.parse()).transpose()?;
        let summary =
            RunSummary::new(self.phase.parse()?, end, serde_json::from_str(&self.counts)?);
        let owner = match (self.id, self.name, self.pid, self.start, self.boot, self.until) {
            (Some(id), Some(name), Some(pid), Some(start), Some(boot), Some(until)) => {
                Some(StoredOwner { id, name, pid, start, boot, until }.into_owner()?)
            }
            _ => None,
        };
        let updated_at = Timestamp::from_microsecond(self.updated_at)?;
        Ok(RunRow::new(head, summary, Seq(self.seq.cast_unsigned()), updated_at)
            .with_epoch(Epoch(self.epoch.cast_unsigned()))
            .with_rev(self.rev.cast_unsigned())
            .with_owner(owner))
    }
}

/// A row of `orch_owners`.
pub(crate) struct StoredOwner {
    id: String,
    name: String,
    pid: i64,
    start: i64,
    boot: String,
    until: i64,
}

impl StoredOwner {
    pub(crate) fn into_owner(self) -> Result<Owner, BoxError> {
        let process = process_id(self.pid, self.start, self.boot)?;
        Ok(Owner::new(self.id, self.name, process, Timestamp::from_microsecond(self.until)?))
    }
}

row! {
    /// Who owns a run.
    pub(crate) struct StoredOwnership {
        epoch: i64,
        id: String,
        name: String,
        pid: i64,
        start: i64,
        boot: String,
        until: i64,
    }
}

impl StoredOwnership {
    pub(crate) fn into_parts(self) -> Result<(Epoch, Owner), BoxError> {
        let Self { epoch, id, name, pid, start, boot, until } = self;
        let owner = StoredOwner { id, name, pid, start, boot, until }.into_owner()?;
        Ok((Epoch(epoch.cast_unsigned()), owner))
    }
}

row! {
/// A row of `orch_processes`.
pub(crate) struct StoredProcess {
    fence: i64,
    pid: i64,
    start: i64,
    boot: String,
}
}

impl StoredProcess {
    pub(crate) fn into_process(self, run: RunId) -> Result<AttemptProcess, JournalError> {
        let process =
            process_id(self.pid, self.start, self.boot).map_err(|error| JournalError::Corrupt {
                what: format!("a process of run {run}"),
                reason: error.to_string(),
            })?;
        Ok(AttemptProcess::new(run, Fence(self.fence.cast_unsigned()), process))
    }
}

fn process_id(pid: i64, start: i64, boot: String) -> Result<ProcessId, std::num::TryFromIntError> {
    Ok(ProcessId::new(u32::try_from(pid)?, start.cast_unsigned(), boot))
}

/// Puts the last events that were found into the order of `runs`.
pub(crate) fn in_order(runs: &[RunId], found: Vec<(String, i64)>) -> Vec<(RunId, Seq)> {
    let found: HashMap<String, i64> = found.into_iter().collect();
    runs.iter()
        .filter_map(|run| found.get(&run.to_string()).map(|seq| (*run, Seq(seq.cast_unsigned()))))
        .collect()
}
