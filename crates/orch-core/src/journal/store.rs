//! A store in memory, without locks or waiting: the core of `MemoryJournal` and of simulated journals.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::{
    AcquireError, Append, AppendError, AttemptProcess, JournalError, Owner, Recorded, RunFilter,
    RunHead, RunRow, RunSummary,
};
use crate::{
    BlobRef, Digest, Epoch, LockName, OwnerId, ProjectId, RequestKey, RunId, RunPhase, Seq,
};

/// The contract of [`Journal`](super::Journal) as plain functions over maps. Never fails with a `Store` error.
#[derive(Debug, Default)]
pub struct MemoryStore {
    runs: BTreeMap<RunId, StoredRun>,
    blobs: HashMap<Digest, Arc<[u8]>>,
    locks: BTreeMap<(ProjectId, LockName), RunId>,
    requests: BTreeMap<(ProjectId, RequestKey), RunId>,
    owners: BTreeMap<OwnerId, Owner>,
    processes: Vec<AttemptProcess>,
}

#[derive(Debug)]
struct StoredRun {
    head: Arc<RunHead>,
    /// One piece per append, shared with the writer.
    pieces: Vec<Arc<[Recorded]>>,
    seq: Seq,
    summary: RunSummary,
    updated_at: Timestamp,
    epoch: Epoch,
    rev: u64,
    owner: Option<OwnerId>,
}

impl MemoryStore {
    /// Makes an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends one turn; see [`Journal::append`](super::Journal::append).
    ///
    /// # Errors
    /// As there; never `Store`.
    pub fn append(&mut self, append: Append) -> Result<(), AppendError> {
        let run = append.head.run;
        self.check(&append)?;
        let first_epoch = append.first_epoch();
        let Some(last) = append.events.last() else { return Ok(()) };
        let project = &append.head.project;
        for lock in append.free {
            let key = (project.clone(), lock);
            if self.locks.get(&key) == Some(&run) {
                self.locks.remove(&key);
            }
        }
        for lock in append.take {
            self.locks.insert((project.clone(), lock), run);
        }
        for blob in append.blobs {
            self.blobs.entry(blob.name.hash).or_insert(blob.bytes);
        }
        if append.expected == Seq(0)
            && let Some(key) = &append.head.request_key
        {
            self.requests.insert((project.clone(), key.clone()), run);
        }
        let stored = self.runs.entry(run).or_insert_with(|| StoredRun {
            head: append.head.clone(),
            pieces: Vec::new(),
            seq: Seq(0),
            summary: append.summary,
            updated_at: last.at,
            epoch: first_epoch,
            rev: 0,
            owner: append.owner,
        });
        stored.seq = last.seq;
        stored.rev += 1;
        stored.summary = append.summary;
        stored.updated_at = last.at;
        stored.pieces.push(append.events);
        if append.summary.phase == RunPhase::Ended {
            stored.owner = None;
            self.locks.retain(|_, holder| *holder != run);
            self.processes.retain(|note| note.run != run);
        }
        Ok(())
    }

    fn check(&self, append: &Append) -> Result<(), AppendError> {
        let run = append.head.run;
        let stored = self.runs.get(&run);
        let epoch = stored.map_or(Epoch(0), |s| s.epoch);
        if let Some(mine) = append.epoch
            && mine != epoch
        {
            return Err(AppendError::Fenced { run, epoch: mine, actual: epoch });
        }
        let actual = stored.map_or(Seq(0), |s| s.seq);
        if actual != append.expected {
            return Err(AppendError::Conflict { run, expected: append.expected, actual });
        }
        let project = &append.head.project;
        for (place, lock) in append.take.iter().enumerate() {
            let held = self.locks.get(&(project.clone(), lock.clone())).copied();
            let held = held.filter(|holder| !(*holder == run && append.free.contains(lock)));
            let twice = append.take[..place].contains(lock).then_some(run);
            if let Some(holder) = held.or(twice) {
                return Err(AppendError::LockHeld { run, lock: lock.clone(), holder });
            }
        }
        if append.expected == Seq(0)
            && let Some(key) = &append.head.request_key
            && let Some(existing) = self.requests.get(&(project.clone(), key.clone()))
        {
            return Err(AppendError::RequestTaken { run, key: key.clone(), existing: *existing });
        }
        Ok(())
    }

    /// Returns the events of `run` after `after`.
    pub fn load(&self, run: RunId, after: Seq) -> Vec<Recorded> {
        let Some(stored) = self.runs.get(&run) else { return Vec::new() };
        let first = stored
            .pieces
            .partition_point(|piece| piece.last().is_none_or(|last| last.seq <= after));
        stored.pieces[first..]
            .iter()
            .flat_map(|piece| piece.iter())
            .filter(|r| r.seq > after)
            .cloned()
            .collect()
    }

    /// Returns the row of `run`.
    pub fn row(&self, run: RunId) -> Option<RunRow> {
        self.runs.get(&run).map(|stored| self.row_of(stored))
    }

    fn row_of(&self, stored: &StoredRun) -> RunRow {
        RunRow::new((*stored.head).clone(), stored.summary, stored.seq, stored.updated_at)
            .with_epoch(stored.epoch)
            .with_rev(stored.rev)
            .with_owner(stored.owner.as_ref().and_then(|id| self.owners.get(id)).cloned())
    }

    /// Lists runs, newest first.
    pub fn rows(&self, filter: &RunFilter) -> Vec<RunRow> {
        let limit = if filter.limit == 0 { 100 } else { filter.limit as usize };
        self.runs
            .values()
            .rev()
            .filter(|stored| filter.project.as_ref().is_none_or(|p| *p == stored.head.project))
            .filter(|stored| !filter.open || stored.summary.phase != RunPhase::Ended)
            .filter(|stored| {
                filter.prefix.as_ref().is_none_or(|p| stored.head.run.to_string().starts_with(p))
            })
            .filter(|stored| {
                let key = stored.head.request_key.as_ref();
                let begins = |p: &String| key.is_some_and(|key| key.as_str().starts_with(p));
                filter.request_prefix.as_ref().is_none_or(begins)
            })
            .filter(|stored| filter.before.is_none_or(|before| stored.head.run < before))
            .take(limit)
            .map(|stored| self.row_of(stored))
            .collect()
    }

    /// Returns the last event of `run`.
    pub fn seq(&self, run: RunId) -> Option<Seq> {
        self.runs.get(&run).map(|stored| stored.seq)
    }

    /// Returns the run that was submitted under `key`.
    pub fn run_of_request(&self, project: &ProjectId, key: &RequestKey) -> Option<RunId> {
        self.requests.get(&(project.clone(), key.clone())).copied()
    }

    /// Returns the run that holds a lock.
    pub fn lock_holder(&self, project: &ProjectId, lock: &LockName) -> Option<RunId> {
        self.locks.get(&(project.clone(), lock.clone())).copied()
    }

    /// Returns the bytes of a blob.
    ///
    /// # Errors
    /// When there is no such blob.
    pub fn blob(&self, name: BlobRef) -> Result<Arc<[u8]>, JournalError> {
        self.blobs.get(&name.hash).cloned().ok_or(JournalError::NoBlob(name))
    }

    /// Registers an owner, or extends its life.
    pub fn register(&mut self, owner: &Owner) {
        self.owners.insert(owner.id.clone(), owner.clone());
    }

    /// Makes `owner` the owner of `run`; see [`Journal::acquire`](super::Journal::acquire).
    ///
    /// # Errors
    /// As there; never a failing store.
    pub fn acquire(
        &mut self,
        run: RunId,
        owner: &OwnerId,
        now: Timestamp,
        dead: Option<Epoch>,
    ) -> Result<Epoch, AcquireError> {
        if !self.owners.contains_key(owner) {
            return Err(AcquireError::Unregistered(owner.clone()));
        }
        let Some(stored) = self.runs.get_mut(&run) else { return Err(AcquireError::NotFound(run)) };
        if let Some(current) = stored.owner.as_ref().and_then(|id| self.owners.get(id))
            && current.id != *owner
            && current.until > now
            && dead != Some(stored.epoch)
        {
            return Err(AcquireError::Owned {
                run,
                owner: Box::new(current.clone()),
                epoch: stored.epoch,
            });
        }
        stored.owner = Some(owner.clone());
        stored.epoch = stored.epoch.next();
        stored.rev += 1;
        Ok(stored.epoch)
    }

    /// Ends the ownership with this epoch.
    pub fn release(&mut self, run: RunId, epoch: Epoch) {
        if let Some(stored) = self.runs.get_mut(&run)
            && stored.epoch == epoch
        {
            stored.owner = None;
            stored.rev += 1;
        }
    }

    /// Notes the process of an attempt; one of a run that does not exist is passed over.
    pub fn note_process(&mut self, note: AttemptProcess) {
        if self.runs.contains_key(&note.run) {
            self.processes.push(note);
        }
    }

    /// Returns the noted processes of a run.
    pub fn processes(&self, run: RunId) -> Vec<AttemptProcess> {
        self.processes.iter().filter(|note| note.run == run).cloned().collect()
    }
}
