//! The driver: turns, obligations and recovery of all runs of a process, without doing anything itself.
//!
//! ```text
//! Input --feed--> inbox of a run --turn--> [events] --Append--> (shell) --Appended--> replies, effects, published events
//! ```
//!
//! Single-threaded and deterministic: the same seed, inputs and times give the same outputs. A turn decides all that has
//! arrived for a run, asks the policies its open questions, and is appended at once; nothing of it shows outside before the
//! append is confirmed. When an append fails, or nobody knows, the state is dropped and loaded again.

mod changes;
mod dispatch;
mod draws;
mod effects;
#[cfg(test)]
mod fairness;
mod follow;
mod guests;
mod inquiries;
mod inquiry;
mod io;
mod policies;
mod reconcile;
mod recovery;
mod run;
mod runs;
mod settled;
mod take_down;
mod turn;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use orch_core::{RunId, Token};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub(crate) use effects::finish;
pub(crate) use inquiries::Policy;
#[cfg(any(test, feature = "sim"))]
pub(crate) use inquiries::PolicyQuestion;
pub(crate) use io::{
    AggregateRun, AttemptEnd, Input, Left, Output, ReplyId, Response, ResultBlobs, StartAttempt,
    Submission,
};
pub(crate) use policies::Policies;
pub(crate) use recovery::{Unfit, fold};
pub(crate) use take_down::is_held_by_managed;

#[cfg(any(test, feature = "sim"))]
use crate::machine::State;
use crate::machine::{Command, Refusal};
use crate::pool::Pool;
use inquiry::{Inquiry, Recalled};
use run::{Queued, Run, Work};
use runs::Runs;
use settled::Waiting;

/// See the module's documentation.
pub(crate) struct Driver {
    runs: Runs,
    /// Runs that have something to do.
    dirty: BTreeSet<RunId>,
    /// Who waits until a run has settled.
    settling: BTreeMap<RunId, Vec<Waiting>>,
    pool: Pool,
    policies: Policies,
    rng: ChaCha8Rng,
    outputs: Vec<Output>,
    /// How many questions to policies the shell was given.
    questions: u64,
    shutting_down: Option<String>,
}

impl Driver {
    /// Makes a driver without runs. `seed` is where all its draws come from.
    pub(crate) fn new(policies: Policies, process_cap: u32, seed: u64) -> Self {
        Self {
            runs: Runs::default(),
            dirty: BTreeSet::new(),
            settling: BTreeMap::new(),
            pool: Pool::new(process_cap),
            policies,
            rng: ChaCha8Rng::seed_from_u64(seed),
            outputs: Vec::new(),
            questions: 0,
            shutting_down: None,
        }
    }

    /// Takes in what has arrived together, and returns what is to be done.
    pub(crate) fn step(
        &mut self,
        inputs: impl IntoIterator<Item = Input>,
        now: Timestamp,
    ) -> Vec<Output> {
        for input in inputs {
            self.feed(input, now);
        }
        self.take_turns(now);
        self.tell_settled(now);
        std::mem::take(&mut self.outputs)
    }

    fn feed(&mut self, input: Input, now: Timestamp) {
        match input {
            Input::Submit(submission) => self.submit(*submission),
            Input::Command { run, command, by, reply } => {
                self.queue(run, Queued::new(Work::Command(command), by, Some(reply)));
            }
            Input::Status { run, reply } => self.status(run, reply),
            Input::Settled { run, until, reply } => self.await_settled(run, until, reply),
            Input::Resume { run, reply } => self.resume(run, reply),
            Input::Guests { run, workers } => self.admit_guests(run, workers),
            Input::Finished { run, fence, end } => self.finished(run, fence, end),
            Input::Planned { run, plan } => self.planned(run, plan),
            Input::Recalled { run, snapshot } => {
                if let Some(entry) = self.runs.get_mut(&run) {
                    entry.memory = Inquiry::Answered(Recalled::Whole(snapshot));
                }
                self.reconcile(run);
            }
            Input::Answered { run, number, answer } => self.answered(run, number, answer),
            Input::Aggregated { run, outcome } => {
                if let Some(entry) = self.runs.get_mut(&run) {
                    entry.output = Inquiry::Answered(());
                }
                self.enqueue(run, Work::End(outcome));
            }
            Input::Reaped { run, fences } => self.reaped(run, fences),
            Input::ReapFailed { run } => self.reap_failed(run, now),
            Input::Appended { run } => self.appended(run),
            Input::AppendFailed { run, error } => self.append_failed(run, error, now),
            Input::Loaded { run, after, events } => self.loaded(run, after, events, now),
            Input::LoadFailed { run } => self.load_failed(run, now),
            Input::Unreadable { run, reason } => self.unreadable(run, &reason),
            Input::Acquired { run, epoch } => self.acquired(run, epoch),
            Input::NotAcquired { run, error } => self.not_acquired(run, error, now),
            Input::OwnerGone { run } => self.take_down(run),
            Input::Heads(heads) => self.heads(heads),
            Input::Register(worker) => {
                self.pool.register(worker);
                self.dirty.extend(self.runs.iter().map(|(id, _)| id));
            }
            Input::Unregister(name) => {
                self.pool.unregister(&name);
                self.dirty.extend(self.runs.iter().map(|(id, _)| id));
            }
            Input::Shutdown { reason, leave_quiet } => self.shutdown(reason, leave_quiet),
            Input::ClockJumped => self.clock_jumped(),
            Input::Time => self.wake(now),
        }
    }

    fn submit(&mut self, submission: Submission) {
        if self.shutting_down.is_some() {
            self.refuse(Some(submission.reply), Refusal::ShuttingDown);
            return;
        }
        let run = submission.run;
        let (by, reply) = (submission.by.clone(), Some(submission.reply));
        self.runs.insert(run, Run::submitted());
        self.queue(run, Queued::new(Work::Submit(Box::new(submission)), by, reply));
    }

    /// Puts work into a run's inbox; a run that is not there is loaded first.
    fn queue(&mut self, run: RunId, queued: Queued) {
        let entry = self.runs.get_or_unloaded(run);
        entry.inbox.push_back(queued);
        self.dirty.insert(run);
        self.load_for_inbox(run);
        // Somebody waits for the answer.
        self.try_now(run);
    }

    /// Sees to it that what is in the inbox of a run will be decided: a run that is not there is loaded.
    fn load_for_inbox(&mut self, run: RunId) {
        let Some(entry) = self.runs.get(&run) else { return };
        let submits = || entry.inbox.iter().any(|queued| matches!(queued.work, Work::Submit(_)));
        let is_coming = entry.loading || entry.load_at.is_some() || entry.acquiring;
        if entry.state.is_none() && entry.turn.is_none() && !is_coming && !submits() {
            self.reload(run);
        }
    }

    /// Queues what the engine itself wants decided; pointless for a run that is not there any more.
    fn enqueue(&mut self, run: RunId, work: Work) {
        if let Some(entry) = self.runs.get_mut(&run) {
            entry.inbox.push_back(Queued::own(work));
            self.dirty.insert(run);
        }
        self.load_for_inbox(run);
    }

    /// A run that is not here, or is being loaded, is read from the journal by the caller.
    fn status(&mut self, run: RunId, reply: ReplyId) {
        match self.runs.get_mut(&run) {
            Some(entry) if entry.turn.is_some() => entry.statuses.push(reply),
            Some(Run { state: Some(state), .. }) => {
                let answer = Ok(Response::Status(Box::new(state.status())));
                self.outputs.push(Output::Reply { reply, answer });
            }
            Some(_) | None => self.refuse(Some(reply), Refusal::NoRun { run }),
        }
    }

    fn refuse(&mut self, reply: Option<ReplyId>, refusal: Refusal) {
        if let Some(reply) = reply {
            self.outputs.push(Output::Reply { reply, answer: Err(refusal) });
        }
    }

    fn shutdown(&mut self, reason: String, leave_quiet: bool) {
        let owned: Vec<RunId> = self.owned().collect();
        for run in owned {
            if leave_quiet && self.runs.get(&run).is_some_and(Run::is_quiet) {
                self.leave(run, Left::GivenUp);
                continue;
            }
            self.enqueue(run, Work::Suspend(reason.clone()));
            // In the inbox the end of an attempt comes after the suspension. A store that refuses stops nobody from stopping.
            self.stop_running(run);
            self.try_now(run);
        }
        self.shutting_down = Some(reason);
    }

    /// Loads a run that waits for a store that has refused something.
    fn try_now(&mut self, run: RunId) {
        if self.runs.get_mut(&run).is_some_and(|entry| entry.load_at.take().is_some()) {
            self.reload(run);
        }
    }

    /// Nobody could be heard while the clock stood: live leases get one fresh interval.
    fn clock_jumped(&mut self) {
        let owned: Vec<RunId> = self.owned().collect();
        for run in owned {
            if let Some(entry) = self.runs.get_mut(&run) {
                entry.inbox.push_front(Queued::own(Work::Command(Command::ExtendLeases)));
                self.dirty.insert(run);
            }
        }
    }

    /// Gives every run with something to do its turn, and those that wait for what became free.
    fn take_turns(&mut self, now: Timestamp) {
        #[cfg(any(test, feature = "sim"))]
        let mut rounds = 0_u32;
        loop {
            #[cfg(any(test, feature = "sim"))]
            {
                rounds += 1;
                assert!(rounds < 10_000, "turns of runs that wait come to rest");
            }
            while let Some(run) = self.dirty.pop_first() {
                self.turn(run, now);
            }
            if !self.pool.take_changed() {
                return;
            }
            self.take_waiting_turns(now);
        }
    }

    /// Those that hold least go first.
    fn take_waiting_turns(&mut self, now: Timestamp) {
        for run in self.pool.waiting() {
            self.turn(run, now);
        }
    }

    fn wake(&mut self, now: Timestamp) {
        let due = self.runs.due(now);
        let mut loads = Vec::new();
        for id in &due {
            let Some(run) = self.runs.get_mut(id) else { continue };
            if run.load_at.take_if(|at| *at <= now).is_some() {
                loads.push(*id);
            }
            run.retry_at.take_if(|at| *at <= now);
            run.foreign_locks.retain(|_, at| *at > now);
        }
        self.dirty.extend(due);
        // A breaker may have become half-open.
        self.dirty.extend(self.pool.waiting());
        for run in loads {
            self.reload(run);
        }
    }

    /// Returns the next time at which the driver wants to be told the time.
    pub(crate) fn next_wake(&mut self, now: Timestamp) -> Option<Timestamp> {
        let runs = self.runs.next_wake();
        let pool = if self.pool.has_waiting() { self.pool.next_wake(now) } else { None };
        [runs, pool, self.next_settled()].into_iter().flatten().min()
    }

    /// Returns the state of a run that is loaded.
    #[cfg(any(test, feature = "sim"))]
    pub(crate) fn state(&self, run: RunId) -> Option<&State> {
        self.runs.get(&run).and_then(|entry| entry.state.as_ref())
    }

    /// Returns the runs that this process owns.
    pub(crate) fn owned(&self) -> impl Iterator<Item = RunId> {
        self.runs.iter().filter(|(_, run)| run.is_owned()).map(|(id, _)| id)
    }

    /// Returns the runs that are loaded, with how far they are.
    pub(crate) fn loaded_runs(&self) -> Vec<RunId> {
        self.runs.iter().filter(|(_, run)| run.state.is_some()).map(|(id, _)| id).collect()
    }

    /// Tells whether this process carries out what `run` obliges it to.
    pub(crate) fn carries_out(&self, run: RunId) -> bool {
        self.runs.get(&run).is_some_and(Run::carries_out)
    }

    /// Tells whether it will be said how `run` ends, or that it leaves this process.
    pub(crate) fn will_tell(&self, run: RunId) -> bool {
        self.runs
            .get(&run)
            .is_some_and(|entry| entry.is_owned() || entry.wants_ownership || entry.acquiring)
    }

    /// Tells whether an append of `run` is in flight.
    #[cfg(any(test, feature = "sim"))]
    pub(crate) fn is_in_flight(&self, run: RunId) -> bool {
        self.runs.get(&run).is_some_and(|entry| entry.turn.is_some())
    }

    /// Returns the pool.
    #[cfg(any(test, feature = "sim"))]
    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Tells whether nothing is going on that a shutdown must wait for.
    pub(crate) fn is_idle(&self) -> bool {
        self.runs
            .iter()
            .all(|(_, run)| !run.is_owned() && run.turn.is_none() && run.running.is_empty())
    }

    fn token(&mut self) -> Token {
        Token(self.rng.next_u64())
    }
}
