//! The world of a case: the clock, what is going to happen, and everything that the processes act upon.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use orch_core::{Digest, Epoch, Fence, RequestKey, RunId, Seq};

use super::Case;
use super::attempts::{Physical, PhysicalId};
use super::book::Book;
use super::clients::{Puller, Request};
use super::counters::Counters;
use super::dice::Dice;
use super::journal::{Fate, SimJournal};
use super::processes::{Address, Process};
use super::scenario::{Scenario, Trouble};
use super::violation::{Check, Law, Violation, ensure};
use crate::driver::Input;
use crate::machine::ReportAnswer;
use orch_core::journal::Append;

/// How much virtual time a run may take once faults have stopped, in milliseconds: attempts, pauses of breakers, offers.
const LIMIT_MS: u64 = 3_600_000;
/// The most that may happen in one case: more means that the engine turns in circles.
const MAX_HAPPENINGS: u64 = 60_000;

/// Returns the wall time `ms` milliseconds after the beginning.
pub(super) fn at(ms: u64) -> Timestamp {
    const BEGINNING_MS: u64 = 1_800_000_000_000;
    let ms = i64::try_from(BEGINNING_MS + ms).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX)
}

/// Something that is going to happen.
pub(super) enum Happening {
    Deliver(Address, Box<Input>),
    Append(Address, Box<Append>, Fate),
    /// An append whose writer was told long ago that it failed.
    Belated(Address, Box<Append>),
    Load(Address, RunId, Seq),
    Acquire(Address, RunId),
    Release(RunId, Epoch),
    Reap(Address, RunId, Vec<Fence>),
    Look(Address),
    Beat(Address),
    AttemptEnds(PhysicalId, u32),
    Submit(usize),
    Trouble(Trouble),
    Restart(usize),
    ComesBack(Address, usize),
    PullTurn(usize),
    Again(Box<Request>),
    Care,
}

/// See the module's documentation.
pub(super) struct World {
    pub(super) now: u64,
    pub(super) dice: Dice,
    pub(super) scenario: Scenario,
    pub(super) queue: BTreeMap<(u64, u32, u64), Happening>,
    queued: u64,
    pub(super) journal: SimJournal,
    pub(super) processes: Vec<Process>,
    pub(super) physicals: Vec<Physical>,
    pub(super) books: BTreeMap<RunId, Book>,
    /// The runs of the scenario, once they are submitted.
    pub(super) runs: Vec<Option<RunId>>,
    /// When each run was last resumed, and by whom.
    pub(super) owners: BTreeMap<RunId, (u64, Address)>,
    pub(super) last_jump: Option<(u64, u64)>,
    pub(super) pullers: Vec<Puller>,
    pub(super) told: BTreeMap<RequestKey, ReportAnswer>,
    pub(super) counters: Counters,
    trace: Option<Vec<String>>,
}

impl World {
    pub(super) fn new(case: Case, trace: bool) -> Self {
        let mut dice = Dice::new(case.seed);
        let scenario = Scenario::of(case, &mut dice);
        let mut world = Self {
            now: 0,
            queue: BTreeMap::new(),
            queued: 0,
            journal: SimJournal::new(),
            processes: (0..scenario.processes).map(Process::down).collect(),
            physicals: Vec::new(),
            books: BTreeMap::new(),
            runs: vec![None; scenario.runs.len()],
            owners: BTreeMap::new(),
            last_jump: None,
            pullers: vec![Puller::new("pia", 2), Puller::new("paul", 1)],
            told: BTreeMap::new(),
            counters: Counters::default(),
            trace: trace.then(Vec::new),
            dice,
            scenario,
        };
        world.set_the_stage();
        world
    }

    fn set_the_stage(&mut self) {
        for process in 0..self.scenario.processes {
            self.soon(0, Happening::Restart(process));
        }
        for run in 0..self.scenario.runs.len() {
            self.soon(self.scenario.runs[run].at, Happening::Submit(run));
        }
        for (at, trouble) in self.scenario.troubles.clone() {
            self.soon(at, Happening::Trouble(trouble));
        }
        for puller in 0..self.pullers.len() {
            self.soon(50, Happening::PullTurn(puller));
        }
        self.soon(500, Happening::Care);
    }

    /// Lets something happen in `after` milliseconds; what falls on one moment comes in a drawn order.
    pub(super) fn soon(&mut self, after: u64, happening: Happening) {
        self.queued += 1;
        let order = (self.dice.any() & 0xffff) as u32;
        self.queue.insert((self.now + after, order, self.queued), happening);
    }

    /// Returns the current wall time.
    pub(super) fn time(&self) -> Timestamp {
        at(self.now)
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.now >= self.scenario.quiet_at
    }

    /// Tells whether a fault with this chance happens now.
    pub(super) fn fault(&mut self, chance: u64) -> bool {
        // The draw is made in any case: the history before a fault stays the same when the fault is taken away.
        let hit = self.dice.percent(chance);
        hit && !self.is_quiet()
    }

    /// Draws how long an operation takes, in milliseconds.
    pub(super) fn latency(&mut self) -> u64 {
        let late = self.scenario.chances.late;
        if self.fault(late) {
            self.counters.count("late operations");
            return self.dice.between(50, 400);
        }
        match self.dice.below(10) {
            0..6 => self.dice.below(3),
            6..9 => self.dice.below(12),
            _else => self.dice.below(40),
        }
    }

    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>7} {}", self.now, line()));
        }
    }

    /// Plays the case to its end.
    pub(super) fn play(&mut self) -> Check {
        let mut happenings = 0;
        loop {
            let next = self.queue.first_key_value().map(|(key, _)| key.0);
            let wake = self.processes.iter().filter_map(|process| process.wake).min();
            let Some(next) = [next, wake].into_iter().flatten().min() else { break };
            self.now = self.now.max(next);
            happenings += 1;
            self.check_progress(happenings)?;
            if wake.is_some_and(|wake| wake <= self.now) {
                self.wake_one()?;
            } else if let Some((_, happening)) = self.queue.pop_first() {
                self.happen(happening)?;
            }
            self.check_lost_owners()?;
        }
        self.check_end()
    }

    fn check_progress(&self, happenings: u64) -> Check {
        let over = self.now > self.scenario.quiet_at + LIMIT_MS || happenings > MAX_HAPPENINGS;
        ensure(!over, Law::RunsEnd, || {
            let open: Vec<String> = self
                .books
                .iter()
                .filter(|(_, book)| book.ended.is_none())
                .map(|(run, book)| {
                    format!(
                        "{run} is {}: {:?} {:?}",
                        book.fold.phase(),
                        book.fold.counts(),
                        book.fold.room()
                    )
                })
                .chain(self.processes.iter().filter_map(|process| {
                    let (driver, address) = (process.driver.as_ref()?, process.address());
                    let pool = driver.pool();
                    Some(format!(
                        "{address} owns {:?}, {} in flight, {:?} wait, loads {:?}, wakes {:?}",
                        driver.owned().collect::<Vec<_>>(),
                        pool.in_flight(),
                        pool.waiting(),
                        pool.loads(),
                        process.wake,
                    ))
                }))
                .collect();
            format!("after {} ms and {happenings} happenings: {}", self.now, open.join(", "))
        })
    }

    fn happen(&mut self, happening: Happening) -> Check {
        match happening {
            Happening::Deliver(to, input) => self.deliver(to, *input),
            Happening::Append(from, append, fate) => self.append(from, *append, fate),
            Happening::Belated(from, append) => self.belated(from, *append),
            Happening::Load(from, run, after) => self.load(from, run, after),
            Happening::Acquire(from, run) => self.acquire(from, run),
            Happening::Release(run, epoch) => {
                self.journal.store_mut().release(run, epoch);
                Ok(())
            }
            Happening::Reap(from, run, fences) => self.reap(from, run, fences),
            Happening::Look(from) => self.look(from),
            Happening::Beat(from) => self.beat(from),
            Happening::AttemptEnds(id, version) => self.attempt_ends(id, version),
            Happening::Submit(run) => self.submit(run),
            Happening::Trouble(trouble) => self.trouble(trouble),
            Happening::Restart(process) => self.restart(process),
            Happening::ComesBack(process, worker) => self.comes_back(process, worker),
            Happening::PullTurn(puller) => self.pull_turn(puller),
            Happening::Again(request) => self.ask(*request),
            Happening::Care => self.care(),
        }
    }

    /// All pending time moves on with the clock: what was about to happen is as far away as before.
    pub(super) fn jump(&mut self, ms: u64) {
        let queue = std::mem::take(&mut self.queue);
        self.queue = queue.into_iter().map(|((t, o, n), h)| ((t + ms, o, n), h)).collect();
        self.last_jump = Some((self.now, self.now + ms));
        self.now += ms;
        self.scenario.quiet_at += ms;
        for puller in &mut self.pullers {
            puller.jump(ms);
        }
        for process in &mut self.processes {
            process.silent_until += ms;
        }
        for (since, _) in self.owners.values_mut() {
            *since += ms;
        }
    }

    fn check_end(&self) -> Check {
        let submitted = self.runs.iter().flatten().filter_map(|run| self.books.get(run));
        let open = submitted.filter(|book| book.ended.is_none()).count();
        ensure(open == 0, Law::RunsEnd, || {
            format!("nothing happens any more, {open} runs are open")
        })?;
        self.check_everybody_is_answered()?;
        self.check_folds()
    }

    /// Folds every run from its first event once more.
    fn check_folds(&self) -> Check {
        for (run, book) in &self.books {
            let events = self.journal.store().load(*run, Seq(0));
            let whole = crate::driver::fold(*run, &events);
            ensure(whole.as_ref() == Ok(&book.fold), Law::ReplayEqualsLive, || {
                format!("the fold of run {run} differs from the fold event by event")
            })?;
        }
        Ok(())
    }

    pub(super) fn digest(&self) -> Digest {
        let all: Vec<_> =
            self.books.keys().map(|run| self.journal.store().load(*run, Seq(0))).collect();
        Digest::of_bytes(&serde_json::to_vec(&all).unwrap_or_default())
    }

    pub(super) fn into_records(self) -> (Counters, Vec<String>) {
        (self.counters, self.trace.unwrap_or_default())
    }

    /// Returns the runs that have begun and not ended.
    pub(super) fn open_runs(&self) -> Vec<RunId> {
        self.books.iter().filter(|(_, book)| book.ended.is_none()).map(|(run, _)| *run).collect()
    }

    /// Tells whether everything that was to be submitted has come to its end.
    pub(super) fn is_over(&self) -> bool {
        let ended: BTreeSet<RunId> =
            self.books.iter().filter(|(_, b)| b.ended.is_some()).map(|(run, _)| *run).collect();
        ended.len() == self.books.len()
            && self.is_quiet()
            && self.runs.iter().all(|run| run.is_none_or(|run| ended.contains(&run)))
    }

    pub(super) fn violated(law: Law, detail: String) -> Check {
        Err(Violation { law, detail })
    }
}

/// Returns the part of a run's id that sets the runs of a case apart.
pub(super) fn short(run: RunId) -> String {
    let text = run.to_string();
    // What comes before is the time, and what comes after the version is drawn.
    text[24..28].to_owned()
}
