//! Which appends of one transaction are written, and what becomes of the rows: pure, the same for every database.
//!
//! ```text
//! appends --> Wanted --> the store reads it: Found --> admit each, in order --> Changes --> the store writes them
//! ```
//! **Invariant:** nobody else may change what was found until the transaction is over; how, is the store's affair.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use orch_core::journal::{AppendError, RunHead, RunSummary};
use orch_core::{Epoch, LockName, OwnerId, ProjectId, RequestKey, RunId, RunPhase, Seq};

use crate::journal::chain::{self, Link};
use crate::prepared::Prepared;

/// What must be known before appends can be judged; in order, so that no writer locks two of them in the wrong order.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) runs: BTreeSet<RunId>,
    pub(crate) locks: BTreeSet<LockKey>,
    pub(crate) requests: BTreeSet<Request>,
}

pub(crate) type LockKey = (ProjectId, LockName);
pub(crate) type Request = (ProjectId, RequestKey);

impl Wanted {
    pub(crate) fn of<'a>(appends: impl IntoIterator<Item = &'a Prepared>) -> Self {
        let mut wanted = Self::default();
        for append in appends {
            let project = &append.head.project;
            wanted.runs.insert(append.run());
            let locks = append.take.iter().chain(&append.free);
            wanted.locks.extend(locks.map(|lock| (project.clone(), lock.clone())));
            wanted.requests.extend(request(append));
        }
        wanted
    }
}

/// The request that an append would answer by making a run.
fn request(append: &Prepared) -> Option<Request> {
    let key = append.head.request_key.as_ref().filter(|_| append.expected == Seq(0))?;
    Some((append.head.project.clone(), key.clone()))
}

/// What the store has of what was wanted.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) runs: HashMap<RunId, RunHeadRow>,
    pub(crate) locks: BTreeMap<LockKey, RunId>,
    pub(crate) requests: BTreeMap<Request, RunId>,
}

/// What the row of a run says of where it stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunHeadRow {
    /// The row; `None` for a run that did not exist before the transaction.
    pub(crate) id: Option<i64>,
    pub(crate) seq: Seq,
    pub(crate) epoch: Epoch,
    /// Before the transaction; empty for runs that did not exist.
    pub(crate) phase: String,
    /// Of the last event.
    pub(crate) digest: Link,
}

/// What the admitted appends change, beside the events and blobs that they add.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// The rows of the runs that existed before.
    pub(crate) rows: HashMap<RunId, i64>,
    /// To be written in this order.
    pub(crate) inserts: Vec<RunInsert>,
    pub(crate) updates: HashMap<RunId, RunUpdate>,
    /// Runs that have no owner, locks and processes any more.
    pub(crate) ended: BTreeSet<RunId>,
    pub(crate) freed: Vec<LockKey>,
    /// To be taken last.
    pub(crate) taken: Vec<(LockKey, RunId)>,
}

/// A new run.
#[derive(Debug)]
pub(crate) struct RunInsert {
    pub(crate) head: Arc<RunHead>,
    pub(crate) owner: (Option<OwnerId>, Epoch),
    pub(crate) update: RunUpdate,
}

/// Where a run stands after its appends.
#[derive(Debug)]
pub(crate) struct RunUpdate {
    pub(crate) summary: RunSummary,
    /// The counts of the summary as JSON.
    pub(crate) counts: String,
    pub(crate) seq: Seq,
    /// Microseconds since 1970.
    pub(crate) updated_at: i64,
    /// Whether the phase is another than it was.
    pub(crate) moved: bool,
    /// Of the last event.
    pub(crate) digest: Link,
    /// How many appends the transaction has for the run.
    pub(crate) writes: i64,
}

/// The appends of one transaction, judged one after the other: each sees what those before it have changed.
#[derive(Debug)]
pub(crate) struct Admission {
    now: Found,
    locks_before: BTreeMap<LockKey, RunId>,
    changes: Changes,
}

impl Admission {
    pub(crate) fn new(found: Found) -> Self {
        Self { locks_before: found.locks.clone(), now: found, changes: Changes::default() }
    }

    /// Checks `append`, and takes it in unless it must be refused. Its events, which get their
    /// digests, and its blobs are for the caller to write.
    pub(crate) fn admit(&mut self, append: &mut Prepared) -> Result<(), AppendError> {
        self.check(append)?;
        if !append.rows.is_empty() {
            self.take_in(append);
        }
        Ok(())
    }

    /// Finds out why `append` must not be written, in the order in which the errors help: a writer without ownership has to
    /// stop, one that is behind has to catch up, and only who is up to date can do something about locks and requests.
    fn check(&self, append: &Prepared) -> Result<(), AppendError> {
        let (run, expected) = (append.run(), append.expected);
        let row = self.now.runs.get(&run);
        let (actual, epoch) = row.map(|it| (it.seq, it.epoch)).unwrap_or_default();
        if let Some(mine) = append.epoch
            && mine != epoch
        {
            return Err(AppendError::Fenced { run, epoch: mine, actual: epoch });
        }
        if actual != expected {
            return Err(AppendError::Conflict { run, expected, actual });
        }
        if let Some((lock, holder)) = self.held(append) {
            return Err(AppendError::LockHeld { run, lock, holder });
        }
        if let Some(request) = request(append)
            && let Some(existing) = self.now.requests.get(&request)
        {
            return Err(AppendError::RequestTaken { run, key: request.1, existing: *existing });
        }
        Ok(())
    }

    /// Returns the first lock that `append` cannot have, with its holder: one that is held and not freed by the run itself,
    /// or one that is named twice, which the run would then hold already.
    fn held(&self, append: &Prepared) -> Option<(LockName, RunId)> {
        let run = append.run();
        append.take.iter().enumerate().find_map(|(place, lock)| {
            let holder = self.now.locks.get(&key(append, lock)).copied();
            let kept = holder.filter(|holder| *holder != run || !append.free.contains(lock));
            let twice = append.take[..place].contains(lock).then_some(run);
            Some((lock.clone(), kept.or(twice)?))
        })
    }

    fn take_in(&mut self, append: &mut Prepared) {
        let run = append.run();
        let row = self.now.runs.entry(run).or_default();
        row.seq = append.last;
        for event in &mut append.rows {
            event.digest = chain::link(&row.digest, &event.content);
            row.digest = event.digest;
        }
        let before = self.changes.updates.get(&run).map_or(0, |update| update.writes);
        let update = RunUpdate {
            digest: row.digest,
            writes: before + 1,
            summary: append.summary,
            counts: append.counts.clone(),
            seq: append.last,
            updated_at: append.updated_at,
            moved: row.phase != append.summary.phase.as_str(),
        };
        if append.expected == Seq(0) {
            let owner = append.first_owner.clone();
            row.epoch = owner.1;
            self.changes.inserts.push(RunInsert { head: append.head.clone(), owner, update });
        } else {
            self.changes.updates.insert(run, update);
        }
        self.now.requests.extend(request(append).map(|request| (request, run)));
        for lock in &append.free {
            let key = key(append, lock);
            if self.now.locks.get(&key) == Some(&run) {
                self.now.locks.remove(&key);
            }
        }
        self.now.locks.extend(append.take.iter().map(|lock| (key(append, lock), run)));
        if append.summary.phase == RunPhase::Ended {
            self.now.locks.retain(|_, holder| *holder != run);
            self.changes.ended.insert(run);
        }
    }

    /// Returns what has to be written.
    pub(crate) fn into_changes(self) -> Changes {
        let Self { now, locks_before, mut changes } = self;
        changes.rows = now.runs.iter().filter_map(|(run, row)| Some((*run, row.id?))).collect();
        let kept = |lock: &LockKey, holder: &RunId| now.locks.get(lock) == Some(holder);
        let freed = locks_before.iter().filter(|(lock, holder)| !kept(lock, holder));
        changes.freed = freed.map(|(lock, _)| lock.clone()).collect();
        // All locks of a run that ends go, also those it has taken since.
        let ended = &changes.ended;
        let is_new = |lock: &LockKey, holder: &RunId| {
            locks_before.get(lock) != Some(holder) || ended.contains(holder)
        };
        let taken = now.locks.iter().filter(|(lock, holder)| is_new(lock, holder));
        changes.taken = taken.map(|(lock, holder)| (lock.clone(), *holder)).collect();
        changes
    }
}

fn key(append: &Prepared, lock: &LockName) -> LockKey {
    (append.head.project.clone(), lock.clone())
}
