//! Processes: a driver each, with everything volatile around it. They crash, fall silent, end and start again.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::journal::{Owner, ProcessId};
use orch_core::{OwnerId, RequestKey, RunId, Seq, WorkerName};

use super::parts::policies;
use super::replies::Asked;
use super::scenario::Trouble;
use super::violation::Check;
use super::world::{Happening, World, at};
use crate::driver::{Driver, Input, Output, ReplyId};

/// How long an owner is taken to live without a sign of life, in milliseconds.
const OWNER_TTL_MS: u64 = 1_500;
const BEAT_MS: u64 = 500;

/// One life of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Address {
    pub(super) process: usize,
    pub(super) life: u32,
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "p{}.{}", self.process, self.life)
    }
}

/// A process of the world.
pub(super) struct Process {
    number: usize,
    life: u32,
    /// `None` while it is down.
    pub(super) driver: Option<Driver>,
    /// When the driver wants to be told the time.
    pub(super) wake: Option<u64>,
    pub(super) silent_until: u64,
    /// After so many more outputs it dies.
    doom: Option<u64>,
    pub(super) shutting_down: bool,
    pub(super) asked: BTreeMap<ReplyId, Asked>,
    pub(super) next_reply: ReplyId,
    pub(super) planning: BTreeSet<RunId>,
    pub(super) recalling: BTreeSet<RunId>,
    pub(super) aggregating: BTreeSet<RunId>,
    /// The last event that was published of each run, while it is followed without a break.
    pub(super) published: BTreeMap<RunId, Seq>,
    /// States that were compared with the fold.
    pub(super) compared: BTreeMap<RunId, Seq>,
}

impl Process {
    pub(super) fn down(number: usize) -> Self {
        Self {
            number,
            life: 0,
            driver: None,
            wake: None,
            silent_until: 0,
            doom: None,
            shutting_down: false,
            asked: BTreeMap::new(),
            next_reply: 0,
            planning: BTreeSet::new(),
            recalling: BTreeSet::new(),
            aggregating: BTreeSet::new(),
            published: BTreeMap::new(),
            compared: BTreeMap::new(),
        }
    }

    pub(super) fn address(&self) -> Address {
        Address { process: self.number, life: self.life }
    }

    /// An answer that is under way has arrived.
    fn hears(&mut self, input: &Input) {
        if let Input::Planned { run, .. } = input {
            self.planning.remove(run);
        }
        if let Input::Recalled { run, .. } = input {
            self.recalling.remove(run);
        }
        if let Input::Aggregated { run, .. } = input {
            self.aggregating.remove(run);
        }
    }

    /// The process forgets a run: what is under way for it is asked for again should it come back.
    pub(super) fn leaves(&mut self, run: RunId) {
        self.published.remove(&run);
        self.planning.remove(&run);
        self.recalling.remove(&run);
        self.aggregating.remove(&run);
    }

    fn owner_id(address: Address) -> OwnerId {
        OwnerId::new(address.to_string())
    }
}

impl World {
    pub(super) fn is_alive(&self, address: Address) -> bool {
        let process = &self.processes[address.process];
        process.life == address.life && process.driver.is_some()
    }

    pub(super) fn is_dead(&self, owner: &OwnerId) -> bool {
        !self
            .processes
            .iter()
            .any(|p| p.driver.is_some() && Process::owner_id(p.address()) == *owner)
    }

    pub(super) fn owner(&self, address: Address) -> Owner {
        let process = ProcessId::new(u32::try_from(address.process).unwrap_or(0), 0, "");
        let until = at(self.now + OWNER_TTL_MS);
        Owner::new(Process::owner_id(address), address.to_string(), process, until)
    }

    pub(super) fn is_owner(&self, address: Address, run: RunId) -> bool {
        let row = self.journal.store().row(run);
        row.and_then(|row| row.owner).is_some_and(|owner| owner.id == Process::owner_id(address))
    }

    /// A new life of a process: it registers its workers, and goes on with some of the runs.
    pub(super) fn restart(&mut self, number: usize) -> Check {
        if self.processes[number].driver.is_some() {
            return Ok(());
        }
        let life = self.processes[number].life + 1;
        let odd = self.scenario.chances.odd_policy;
        let seed = self.dice.any();
        let driver = Driver::new(policies(seed, odd), self.scenario.process_cap, !seed);
        self.processes[number] = Process { life, driver: Some(driver), ..Process::down(number) };
        let address = self.processes[number].address();
        self.note(|| format!("{address} starts"));
        let workers = self.scenario.workers.clone();
        let register = workers.into_iter().map(|worker| Input::Register(worker));
        self.step(address, register.collect())?;
        self.soon(BEAT_MS, Happening::Beat(address));
        for run in self.open_runs() {
            if self.dice.percent(60) {
                self.resume(number, run);
            }
        }
        Ok(())
    }

    /// Feeds a driver and carries out what it wants, unless the process dies in between.
    pub(super) fn step(&mut self, to: Address, inputs: Vec<Input>) -> Check {
        let now = self.time();
        if !self.is_alive(to) {
            return Ok(());
        }
        let Some(driver) = &mut self.processes[to.process].driver else { return Ok(()) };
        let outputs = driver.step(inputs, now);
        for output in outputs {
            if self.dies_now(to) {
                return Ok(());
            }
            self.carry_out(to, output)?;
        }
        if self.dies_now(to) {
            return Ok(());
        }
        let process = &mut self.processes[to.process];
        let Some(driver) = &mut process.driver else { return Ok(()) };
        let wake = driver.next_wake(now);
        process.wake = wake.map(|wake| {
            let ms = wake.as_millisecond().saturating_sub(at(0).as_millisecond());
            u64::try_from(ms).unwrap_or(0).max(self.now)
        });
        self.check_process(to)?;
        if self.processes[to.process].shutting_down && self.is_idle(to) {
            self.counters.count("shutdowns");
            self.end_life(to);
        }
        Ok(())
    }

    fn is_idle(&self, address: Address) -> bool {
        let busy = self.physicals.iter().any(|p| p.by == address && !p.is_delivered());
        !busy && self.processes[address.process].driver.as_ref().is_some_and(Driver::is_idle)
    }

    fn dies_now(&mut self, address: Address) -> bool {
        let Some(left) = &mut self.processes[address.process].doom else { return false };
        if *left > 0 {
            *left -= 1;
            return false;
        }
        self.counters.count("crashes");
        let running = self.physicals.iter().filter(|p| p.by == address && p.is_running()).count();
        if running > 0 {
            self.counters.count("crashes with attempts running");
        }
        self.end_life(address);
        true
    }

    /// Everything volatile is gone; attempts that run go on without their supervisor.
    fn end_life(&mut self, address: Address) {
        self.note(|| format!("{address} is gone"));
        let life = self.processes[address.process].life;
        let asked = std::mem::take(&mut self.processes[address.process].asked);
        self.processes[address.process] = Process { life, ..Process::down(address.process) };
        let after = self.dice.between(5, 600);
        self.soon(after, Happening::Restart(address.process));
        for asked in asked.into_values() {
            self.never_heard(asked);
        }
    }

    pub(super) fn deliver(&mut self, to: Address, input: Input) -> Check {
        if let Input::Finished { run, fence, .. } = &input {
            self.delivered(to, *run, *fence);
        }
        if !self.is_alive(to) {
            return Ok(());
        }
        self.processes[to.process].hears(&input);
        let mut inputs = vec![input];
        // What arrives at the same moment often arrives together.
        while self.dice.percent(70)
            && let Some(entry) = self.queue.first_entry()
            && entry.key().0 <= self.now
            && matches!(entry.get(), Happening::Deliver(other, _) if *other == to)
        {
            let Happening::Deliver(_, next) = entry.remove() else { break };
            if let Input::Finished { run, fence, .. } = &*next {
                self.delivered(to, *run, *fence);
            }
            self.processes[to.process].hears(&next);
            inputs.push(*next);
        }
        self.step(to, inputs)
    }

    /// Tells the time to a process that asked for it.
    pub(super) fn wake_one(&mut self) -> Check {
        let due = self.processes.iter().find(|p| p.wake.is_some_and(|wake| wake <= self.now));
        let Some(address) = due.map(Process::address) else { return Ok(()) };
        self.processes[address.process].wake = None;
        self.counters.count("timers");
        self.step(address, vec![Input::Time])
    }

    pub(super) fn beat(&mut self, from: Address) -> Check {
        if !self.is_alive(from) {
            return Ok(());
        }
        let process = &self.processes[from.process];
        let owns = process.driver.as_ref().is_some_and(|driver| driver.owned().next().is_some());
        if owns && process.silent_until <= self.now {
            let owner = self.owner(from);
            self.journal.store_mut().register(&owner);
        }
        if !self.is_over() {
            self.soon(BEAT_MS, Happening::Beat(from));
        }
        Ok(())
    }

    /// Others have written: a process looks how far its runs are.
    pub(super) fn look(&mut self, from: Address) -> Check {
        if !self.is_alive(from) {
            return Ok(());
        }
        let Some(driver) = &self.processes[from.process].driver else { return Ok(()) };
        let store = self.journal.store();
        let heads: Vec<_> = driver
            .loaded_runs()
            .into_iter()
            .filter_map(|run| store.seq(run).map(|seq| (run, seq)))
            .collect();
        if heads.is_empty() {
            return Ok(());
        }
        let after = self.latency();
        self.soon(after, Happening::Deliver(from, Box::new(Input::Heads(heads))));
        Ok(())
    }

    pub(super) fn comes_back(&mut self, process: Address, worker: usize) -> Check {
        let worker = self.scenario.workers[worker].clone();
        self.step(process, vec![Input::Register(worker)])
    }

    pub(super) fn resume(&mut self, process: usize, run: RunId) {
        let address = self.processes[process].address();
        if !self.is_alive(address) {
            return;
        }
        self.note(|| format!("{address} is to resume {}", super::world::short(run)));
        let reply = self.expect(address, Asked::Resume { run });
        let input = Input::Resume { run, reply };
        self.soon(0, Happening::Deliver(address, Box::new(input)));
    }

    /// Somebody cares for runs that nobody goes on with; now and then at first, later always.
    pub(super) fn care(&mut self) -> Check {
        if self.is_over() {
            return Ok(());
        }
        self.soon(if self.is_quiet() { 1_000 } else { 400 }, Happening::Care);
        for run in self.open_runs() {
            let row = self.journal.store().row(run);
            let owner = row.and_then(|row| row.owner);
            let suspended = self.books.get(&run).is_some_and(|book| book.fold.is_suspended());
            let free = owner.is_none_or(|o| self.is_dead(&o.id) || o.until < self.time());
            // The answer to an acquisition may be lost: the owner does not know that it is one.
            let known = self.processes.iter().filter_map(|process| process.driver.as_ref());
            let free =
                free || !known.into_iter().any(|driver| driver.owned().any(|own| own == run));
            if (free || suspended) && (self.is_quiet() || self.dice.percent(30)) {
                let process = self.dice.index(self.processes.len());
                self.resume(process, run);
            }
        }
        Ok(())
    }

    pub(super) fn trouble(&mut self, trouble: Trouble) -> Check {
        self.note(|| format!("{trouble:?}"));
        match trouble {
            Trouble::Crash { process, outputs } => {
                self.processes[process].doom.get_or_insert(outputs);
            }
            Trouble::Silence { process, ms } => {
                self.counters.count("silences");
                self.processes[process].silent_until = self.now + ms;
            }
            Trouble::Resume { process, run } => {
                if let Some(run) = self.runs[run] {
                    self.resume(process, run);
                }
            }
            Trouble::Suspend { process, run } => self.suspend(process, run),
            Trouble::Cancel { process, run } => self.cancel(process, run),
            Trouble::Shutdown { process } => {
                let address = self.processes[process].address();
                if self.is_alive(address) {
                    self.processes[process].shutting_down = true;
                    let reason = "the process is shut down".to_owned();
                    return self
                        .step(address, vec![Input::Shutdown { reason, leave_quiet: false }]);
                }
            }
            Trouble::Jump { ms } => {
                self.counters.count("clock jumps");
                self.jump(ms);
                for process in 0..self.processes.len() {
                    let address = self.processes[process].address();
                    self.step(address, vec![Input::Time, Input::ClockJumped])?;
                }
            }
            Trouble::Absence { process, worker, ms } => {
                let address = self.processes[process].address();
                if self.is_alive(address) {
                    self.counters.count("absent workers");
                    let name: WorkerName = self.scenario.workers[worker].name_of();
                    self.soon(ms, Happening::ComesBack(address, worker));
                    return self.step(address, vec![Input::Unregister(name)]);
                }
            }
        }
        Ok(())
    }

    /// Submits a run of the scenario, with another id at every try.
    pub(super) fn submit(&mut self, number: usize) -> Check {
        let process = self.scenario.runs[number].process;
        let address = self.processes[process].address();
        if !self.is_alive(address) {
            self.soon(100, Happening::Submit(number));
            return Ok(());
        }
        let entropy = u128::from(self.dice.any()) << 64;
        let run = RunId::new(self.time(), entropy);
        let planned = &self.scenario.runs[number];
        let key: Option<RequestKey> = planned.key.clone();
        let (task, settings) = (planned.task.clone(), planned.settings.clone());
        let given = Some(planned.plan.clone());
        let reply = self.expect(address, Asked::Submit { number, run });
        let submission = crate::driver::Submission {
            run,
            task,
            settings,
            given,
            request_key: key,
            origin: std::sync::Arc::default(),
            by: None,
            reply,
        };
        self.soon(0, Happening::Deliver(address, Box::new(Input::Submit(Box::new(submission)))));
        Ok(())
    }

    /// Carries out one output of a process.
    pub(super) fn carry_out(&mut self, from: Address, output: Output) -> Check {
        self.counters.count("outputs");
        self.output(from, output)
    }
}
