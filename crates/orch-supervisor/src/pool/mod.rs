//! The workers of one process: who is there, who is free, whose turn it is. Pure and volatile: rebuilt at every start.
//!
//! A slot is taken in the turn that starts an attempt and freed when the attempt is known to be over. Between runs it is
//! fair: the run with the fewest slots goes first, then the one that has waited longest. It is one order for all that runs wait for, the
//! process and its workers: with an order for each, runs that wait for both could give way to each other for ever. A worker that is `unavailable` again and again is left
//! alone for a while (its circuit breaker).

mod breaker;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use orch_core::{
    Constraints, Digest, Failure, RunId, Subtask, Worker, WorkerCard, WorkerKind, WorkerName,
    could_do,
};

use breaker::Breaker;

/// The workers of a process and their slots.
pub(crate) struct Pool {
    members: BTreeMap<WorkerName, Member>,
    /// In order of registration.
    order: Vec<Arc<dyn Worker>>,
    /// Members that could start something now, in order of registration; kept up to date.
    free: Vec<Arc<dyn Worker>>,
    loads: BTreeMap<WorkerName, f64>,
    in_flight: u32,
    cap: u32,
    /// Runs that wait because the process is full.
    waiting: BTreeSet<RunId>,
    /// Slots that each run holds.
    per_run: BTreeMap<RunId, u32>,
    /// Runs that may wait for something, with their place in the queue.
    waits: BTreeMap<RunId, u64>,
    /// The last place given out.
    ticket: u64,
    /// Whether something became free since somebody asked.
    changed: bool,
}

struct Member {
    worker: Arc<dyn Worker>,
    /// The digest of its card.
    card: Digest,
    slots: u32,
    busy: u32,
    /// Whether it was unregistered while it made attempts.
    has_left: bool,
    /// Runs that wait for a slot of this worker.
    waiting: BTreeSet<RunId>,
    /// Per task type; absent while nothing went wrong.
    breakers: BTreeMap<String, Breaker>,
}

impl Pool {
    /// Makes a pool without workers that has at most `cap` attempts in flight.
    pub(crate) fn new(cap: u32) -> Self {
        Self {
            members: BTreeMap::new(),
            order: Vec::new(),
            free: Vec::new(),
            loads: BTreeMap::new(),
            in_flight: 0,
            cap: cap.max(1),
            waiting: BTreeSet::new(),
            per_run: BTreeMap::new(),
            waits: BTreeMap::new(),
            ticket: 0,
            changed: false,
        }
    }

    /// Adds a worker; one of the same name is replaced, and its running attempts count on.
    pub(crate) fn register(&mut self, worker: Arc<dyn Worker>) {
        let name = worker.name().clone();
        let slots = worker.max_concurrency().get();
        let before = self.members.remove(&name);
        let (busy, waiting) = before.map_or_else(Default::default, |m| (m.busy, m.waiting));
        self.order.retain(|w| *w.name() != name);
        self.order.push(worker.clone());
        let member = Member {
            card: WorkerCard::from_worker(&*worker).digest(),
            worker,
            slots,
            busy,
            waiting,
            has_left: false,
            breakers: BTreeMap::new(),
        };
        self.members.insert(name, member);
        self.refresh();
    }

    /// Removes a worker; attempts that it is making go on, and hold their slots also if it joins again.
    pub(crate) fn unregister(&mut self, name: &WorkerName) -> bool {
        let known =
            self.members.get_mut(name).is_some_and(|m| !std::mem::replace(&mut m.has_left, true));
        self.order.retain(|w| w.name() != name);
        self.forget_idle(name);
        self.refresh();
        known
    }

    /// A worker that has left is forgotten when its last attempt is over.
    fn forget_idle(&mut self, name: &WorkerName) {
        if self.members.get(name).is_some_and(|m| m.has_left && m.busy == 0) {
            self.members.remove(name);
            self.loads.remove(name);
        }
    }

    /// Returns the workers, in order of registration.
    pub(crate) fn workers(&self) -> &[Arc<dyn Worker>] {
        &self.order
    }

    /// Returns a worker.
    pub(crate) fn worker(&self, name: &WorkerName) -> Option<&Arc<dyn Worker>> {
        self.members.get(name).filter(|m| !m.has_left).map(|m| &m.worker)
    }

    /// Returns the digest of a worker's card, as it was when the worker joined.
    pub(crate) fn card(&self, name: &WorkerName) -> Option<Digest> {
        self.members.get(name).filter(|m| !m.has_left).map(|m| m.card)
    }

    /// Returns how many attempts each worker can make at once.
    pub(crate) fn slots(&self) -> BTreeMap<WorkerName, u32> {
        self.members.iter().map(|(name, m)| (name.clone(), m.slots)).collect()
    }

    /// Returns how busy each worker is, 0 to 1.
    pub(crate) fn loads(&self) -> &BTreeMap<WorkerName, f64> {
        &self.loads
    }

    /// Returns how many attempts are in flight in this process.
    #[cfg(any(test, feature = "sim"))]
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Tells whether `run` may take one more slot of the process.
    pub(crate) fn has_room(&self, run: RunId) -> bool {
        self.in_flight < self.cap && self.goes_first(&self.waiting, run)
    }

    /// Returns the workers that could start a subtask of `task_type` for `run` now.
    pub(crate) fn available(
        &self,
        run: RunId,
        task_type: &str,
        now: Timestamp,
    ) -> std::borrow::Cow<'_, [Arc<dyn Worker>]> {
        let passes = |worker: &Arc<dyn Worker>| {
            self.members
                .get(worker.name())
                .is_some_and(|m| self.goes_first(&m.waiting, run) && m.lets_through(task_type, now))
        };
        if self.free.iter().all(passes) {
            return std::borrow::Cow::Borrowed(&self.free);
        }
        std::borrow::Cow::Owned(self.free.iter().filter(|w| passes(w)).cloned().collect())
    }

    /// Returns the workers that could do `subtask` if they were free; when there is none, waiting is in vain.
    pub(crate) fn capable(
        &self,
        subtask: &Subtask,
        constraints: Option<&Constraints>,
    ) -> Vec<WorkerName> {
        self.order
            .iter()
            .filter(|w| could_do(&***w, subtask, constraints))
            .map(|w| w.name().clone())
            .collect()
    }

    /// Notes what `run` waits for now: any slot of the process, or one of `workers`. It keeps its place
    /// as long as it waits for anything.
    pub(crate) fn wait(&mut self, run: RunId, process: bool, workers: &BTreeSet<WorkerName>) {
        let wants = process || !workers.is_empty();
        if !wants && !self.waits.contains_key(&run) {
            return;
        }
        if wants {
            self.ticket += 1;
            self.waits.entry(run).or_insert(self.ticket);
        } else {
            self.waits.remove(&run);
        }
        let mut changed = false;
        let mut queue = |waiting: &mut BTreeSet<RunId>, wanted: bool| {
            if wanted {
                waiting.insert(run);
            } else {
                changed |= waiting.remove(&run);
            }
        };
        queue(&mut self.waiting, process);
        for (name, member) in &mut self.members {
            queue(&mut member.waiting, workers.contains(name));
        }
        self.changed |= changed;
    }

    /// Tells, once, whether somebody who waits should look again.
    pub(crate) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Returns the runs that wait for something, those that hold least first.
    pub(crate) fn waiting(&self) -> Vec<RunId> {
        let all: BTreeSet<RunId> = self
            .members
            .values()
            .filter(|_| self.has_waiting())
            .flat_map(|m| &m.waiting)
            .chain(&self.waiting)
            .copied()
            .collect();
        let mut runs: Vec<RunId> = all.into_iter().collect();
        runs.sort_by_key(|run| self.per_run.get(run).copied().unwrap_or(0));
        runs
    }

    /// Tells whether nobody of those who wait goes before `run`.
    fn goes_first(&self, waiting: &BTreeSet<RunId>, run: RunId) -> bool {
        let rank = |run: &RunId| {
            let held = self.per_run.get(run).copied().unwrap_or(0);
            (held, self.waits.get(run).copied().unwrap_or(u64::MAX))
        };
        let mine = rank(&run);
        waiting.iter().all(|other| *other == run || rank(other) > mine)
    }

    /// Tells whether any run waits for something.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waits.is_empty()
    }

    /// Tells whether `worker` and the process have room for one more attempt. Runs that wait for it are not looked at.
    pub(crate) fn has_slot(&self, worker: &WorkerName) -> bool {
        self.in_flight < self.cap && self.members.get(worker).is_some_and(|m| m.busy < m.slots)
    }

    /// Takes a slot.
    pub(crate) fn take(&mut self, worker: &WorkerName, run: RunId) {
        self.in_flight += 1;
        *self.per_run.entry(run).or_default() += 1;
        self.changed |= self.waiting.remove(&run);
        if let Some(member) = self.members.get_mut(worker) {
            self.changed |= member.waiting.remove(&run);
            member.busy += 1;
            let full = member.busy == member.slots;
            let load = member.load();
            self.set_load(worker, load);
            if full {
                self.refresh();
            }
        }
    }

    /// Frees a slot.
    pub(crate) fn give_back(&mut self, worker: &WorkerName, run: RunId) {
        self.changed = true;
        self.in_flight = self.in_flight.saturating_sub(1);
        decrement(&mut self.per_run, run);
        if let Some(member) = self.members.get_mut(worker) {
            let full = member.busy >= member.slots;
            member.busy = member.busy.saturating_sub(1);
            let load = member.load();
            self.set_load(worker, load);
            if full {
                self.refresh();
            }
            self.forget_idle(worker);
        }
    }

    fn set_load(&mut self, worker: &WorkerName, load: f64) {
        match self.loads.get_mut(worker) {
            Some(entry) => *entry = load,
            None => {
                self.loads.insert(worker.clone(), load);
            }
        }
    }

    fn refresh(&mut self) {
        self.changed = true;
        self.free = self
            .order
            .iter()
            .filter(|w| self.members.get(w.name()).is_some_and(Member::is_free))
            .cloned()
            .collect();
    }

    /// Takes note that an attempt at `task_type` starts: while the breaker is half-open it is the one probe.
    pub(crate) fn probe(&mut self, worker: &WorkerName, task_type: &str, now: Timestamp) {
        if let Some(breaker) =
            self.members.get_mut(worker).and_then(|m| m.breakers.get_mut(task_type))
        {
            breaker.probe(now);
        }
    }

    /// Takes note of how an attempt at `task_type` ended.
    pub(crate) fn observe(
        &mut self,
        worker: &WorkerName,
        task_type: &str,
        failure: Option<&Failure>,
        now: Timestamp,
    ) {
        let Some(member) = self.members.get_mut(worker) else { return };
        match failure {
            Some(failure) if Breaker::counts(failure) => {
                member.breakers.entry(task_type.to_owned()).or_default().failed(failure, now);
            }
            Some(_) => {}
            None => {
                member.breakers.remove(task_type);
            }
        }
    }

    /// Returns the next time at which an open breaker lets a probe through.
    pub(crate) fn next_wake(&self, now: Timestamp) -> Option<Timestamp> {
        self.members
            .values()
            .flat_map(|m| m.breakers.values())
            .filter_map(Breaker::opens_until)
            .filter(|at| *at > now)
            .min()
    }
}

impl Member {
    fn is_free(&self) -> bool {
        // An offer to a pull worker takes no slot: the worker takes it when it can.
        self.worker.kind() == WorkerKind::Pull || self.busy < self.slots
    }

    fn load(&self) -> f64 {
        (f64::from(self.busy) / f64::from(self.slots.max(1))).min(1.0)
    }

    fn lets_through(&self, task_type: &str, now: Timestamp) -> bool {
        self.breakers.get(task_type).is_none_or(|breaker| breaker.lets_through(now))
    }
}

fn decrement(counts: &mut BTreeMap<RunId, u32>, run: RunId) {
    if let Some(count) = counts.get_mut(&run) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(&run);
        }
    }
}
