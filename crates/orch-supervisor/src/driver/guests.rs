//! Guests: pull workers that one run knows and no other. They come with its submission or its resumption, and are forgotten when
//! this process forgets the run.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use orch_core::{Digest, RunId, Worker, WorkerCard, WorkerKind, WorkerName};

use super::Driver;

impl Driver {
    /// Takes note of the guests of a run that has just been submitted or resumed. A resumption that names none leaves those that
    /// are here.
    pub(super) fn admit_guests(&mut self, run: RunId, mut guests: Vec<Arc<dyn Worker>>) {
        // A managed one would need slots, and the pool has them.
        guests.retain(|guest| guest.kind() == WorkerKind::Pull);
        if !guests.is_empty()
            && let Some(entry) = self.runs.get_mut(&run)
        {
            entry.guests = guests;
            self.dirty.insert(run);
        }
    }

    /// Returns the workers that a run may have: those of the process, then its guests. A guest with the name of a worker of the
    /// process is nobody: the worker is meant.
    pub(crate) fn workers_of(&self, run: RunId) -> Cow<'_, [Arc<dyn Worker>]> {
        self.with_guests(run, Cow::Borrowed(self.pool.workers()))
    }

    /// Returns the workers that could start a subtask of `task_type` for `run` now. A guest always can.
    pub(super) fn available_to(
        &self,
        run: RunId,
        task_type: &str,
        now: Timestamp,
    ) -> Cow<'_, [Arc<dyn Worker>]> {
        self.with_guests(run, self.pool.available(run, task_type, now))
    }

    /// Returns the worker of the process, or the guest of `run`, with a name.
    pub(super) fn worker_for(&self, run: RunId, name: &WorkerName) -> Option<&Arc<dyn Worker>> {
        let guest = || self.guests_of(run).find(|guest| guest.name() == name);
        self.pool.worker(name).or_else(guest)
    }

    /// Returns the digest of the card of a worker of the process, or of a guest of `run`.
    pub(super) fn card_for(&self, run: RunId, name: &WorkerName) -> Option<Digest> {
        let guest = || self.guests_of(run).find(|guest| guest.name() == name);
        self.pool.card(name).or_else(|| Some(WorkerCard::from_worker(&**guest()?).digest()))
    }

    fn with_guests<'a>(
        &'a self,
        run: RunId,
        mut workers: Cow<'a, [Arc<dyn Worker>]>,
    ) -> Cow<'a, [Arc<dyn Worker>]> {
        let mut guests = self.guests_of(run).peekable();
        if guests.peek().is_some() {
            workers.to_mut().extend(guests.cloned());
        }
        workers
    }

    fn guests_of(&self, run: RunId) -> impl Iterator<Item = &Arc<dyn Worker>> {
        let guests = self.runs.get(&run).map(|entry| &entry.guests[..]).unwrap_or_default();
        guests.iter().filter(|guest| self.pool.worker(guest.name()).is_none())
    }
}
