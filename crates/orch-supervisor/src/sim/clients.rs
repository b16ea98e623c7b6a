//! Those outside: pull workers, honest and not, and people who suspend and cancel.

use std::sync::Arc;

use orch_core::{
    CancelReason, Cause, Digest, Failure, Fence, RequestKey, RunId, StoredResult, SubtaskId,
    SubtaskIndex, Token, WorkerName, WorkerResult,
};
use serde_json::{Value, json};

use super::book::Kind;
use super::replies::{Asked, key_of};
use super::violation::Check;
use super::world::{Happening, World, at};
use crate::driver::Input;
use crate::machine::{Claim, Claimed, Command, Report, Want};

/// How often a request is made again.
const MAX_TRIES: u32 = 6;

/// A command of somebody outside, as it is sent and sent again.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) run: RunId,
    pub(super) command: Command,
    pub(super) key: Option<RequestKey>,
    pub(super) wish: Wish,
    tries: u32,
}

/// What the request is about.
#[derive(Debug, Clone)]
pub(super) enum Wish {
    Claim,
    Heartbeat(Fence),
    Report(Digest),
}

/// A pull worker with what it has claimed.
pub(super) struct Puller {
    name: WorkerName,
    slots: u32,
    holding: Vec<Holding>,
}

#[derive(Clone)]
struct Holding {
    run: RunId,
    subtask: SubtaskId,
    fence: Fence,
    token: Token,
    /// When it is going to report.
    reports_at: u64,
}

impl Puller {
    pub(super) fn new(name: &str, slots: u32) -> Self {
        Self { name: WorkerName::new(name), slots, holding: Vec::new() }
    }

    pub(super) fn jump(&mut self, ms: u64) {
        for holding in &mut self.holding {
            holding.reports_at += ms;
        }
    }
}

impl World {
    /// A pull worker does something, as a rule what it should.
    pub(super) fn pull_turn(&mut self, puller: usize) -> Check {
        if self.is_over() {
            return Ok(());
        }
        let busy = self.has_pull_work();
        let pause = if busy { self.dice.between(10, 150) } else { self.dice.between(150, 400) };
        self.soon(if self.is_quiet() { pause * 3 } else { pause }, Happening::PullTurn(puller));
        if let Some(run) = self.dice.pick(&self.open_runs())
            && self.dice.percent(15)
        {
            self.wait_for(run);
        }
        let mischief = self.scenario.chances.mischief;
        if self.fault(mischief) {
            return self.mischief();
        }
        if let Some(run) = self.dice.pick(&self.open_runs())
            && busy
            && self.dice.percent(50)
        {
            return self.claim(puller, run);
        }
        self.work_on(puller)
    }

    /// Somebody wants to know how a run stands when it has settled.
    fn wait_for(&mut self, run: RunId) {
        let process = self.dice.index(self.processes.len());
        let address = self.processes[process].address();
        if !self.is_alive(address) {
            return;
        }
        let ms = self.now + self.dice.between(1, 1_000);
        let reply = self.expect(address, Asked::Settled { run, until: ms });
        let input = Input::Settled { run, until: at(ms), reply };
        self.soon(0, Happening::Deliver(address, Box::new(input)));
    }

    fn has_pull_work(&self) -> bool {
        let open = self.books.values().filter(|book| book.ended.is_none());
        open.flat_map(|book| book.open_attempts()).any(|(_, entry)| entry.kind != Kind::Managed)
    }

    fn claim(&mut self, puller: usize, run: RunId) -> Check {
        let key = self.dice.percent(60).then(|| key_of(self.dice.any()));
        // Some want several at once, also for others.
        let many = if self.dice.percent(40) { self.dice.between(2, 4) } else { 1 };
        let wants = (0..many).map(|number| {
            let other = number > 0 && self.dice.percent(30);
            let Puller { name, slots, .. } = match other {
                true => &self.pullers[(puller + 1) % self.pullers.len()],
                false => &self.pullers[puller],
            };
            let want = Want::new(name.clone()).slots(*slots);
            let subtask = if self.dice.percent(50) { self.some_pull_subtask(run) } else { None };
            want.subtask(subtask).token(Token(self.dice.any()))
        });
        let claim =
            Claim { wants: wants.collect(), foreign_locks: Vec::new(), request_key: key.clone() };
        let command = Command::Claim(claim);
        self.ask(Request { run, command, key, wish: Wish::Claim, tries: 0 })
    }

    fn some_pull_subtask(&mut self, run: RunId) -> Option<SubtaskId> {
        let book = self.books.get(&run)?;
        let pulled: Vec<SubtaskIndex> = book
            .open_attempts()
            .filter(|(_, entry)| entry.kind != Kind::Managed)
            .map(|(_, entry)| entry.subtask)
            .collect();
        let index = self.dice.pick(&pulled)?;
        Some(self.books[&run].subtasks[index.get()].id.clone())
    }

    pub(super) fn claimed(&mut self, run: RunId, claimed: &Claimed) {
        let fence = claimed.fence;
        let Some(puller) = self.pullers.iter().position(|p| p.name == claimed.worker) else {
            return;
        };
        if self.pullers[puller].holding.iter().any(|h| h.fence == fence && h.run == run) {
            return;
        }
        self.counters.count("claims");
        // Some work longer than their lease.
        let lease = self.books[&run].settings.lease_ms;
        let length = if self.dice.percent(25) {
            lease + self.dice.between(1, 4_000)
        } else {
            self.dice.below(lease)
        };
        let (subtask, token) = (claimed.subtask.id.clone(), claimed.token);
        let reports_at = self.now + length;
        self.pullers[puller].holding.push(Holding { run, subtask, fence, token, reports_at });
    }

    /// Reports what is finished, gives a sign of life for the rest.
    fn work_on(&mut self, puller: usize) -> Check {
        let now = self.now;
        let due = self.pullers[puller].holding.iter().position(|h| h.reports_at <= now);
        if let Some(due) = due {
            let holding = self.pullers[puller].holding.swap_remove(due);
            let attempt = Some((holding.fence, holding.token));
            return self.report(holding.run, holding.subtask, attempt, true);
        }
        let holding = self.dice.pick(&self.pullers[puller].holding);
        let Some(Holding { run, fence, token, .. }) = holding else { return Ok(()) };
        if self.dice.percent(60) {
            return Ok(());
        }
        self.counters.count("heartbeats");
        let command = Command::Heartbeat { fence, token };
        self.ask(Request { run, command, key: None, wish: Wish::Heartbeat(fence), tries: 0 })
    }

    fn report(
        &mut self,
        run: RunId,
        subtask: SubtaskId,
        attempt: Option<(Fence, Token)>,
        named: bool,
    ) -> Check {
        let key = self.dice.percent(60).then(|| key_of(self.dice.any()));
        let number = self.dice.any();
        let mut result = WorkerResult::success(subtask.clone(), "pia", json!(number));
        let mut failure = None;
        match self.dice.below(12) {
            0 => result.success = false,
            1 => result.output = Value::Null,
            2 => failure = Some(Failure::new(Cause::Reported, "it did not work")),
            _else => {}
        }
        if let Some(usage) = self.draw_usage() {
            result.metadata.insert("usage".to_owned(), usage);
        }
        let digest = Digest::of_bytes(&number.to_le_bytes());
        let usage = result.usage().ok().flatten();
        let body = Arc::new(StoredResult { result: Arc::new(result), blob: None });
        let subtask = named.then_some(subtask);
        let request_key = key.clone();
        let report =
            Report { subtask, attempt, digest, body, blob: None, failure, usage, request_key };
        let request = Request {
            run,
            command: Command::Report(report),
            key,
            wish: Wish::Report(digest),
            tries: 0,
        };
        if self.fault(self.scenario.chances.mischief / 3) {
            self.counters.count("reports sent twice");
            let after = self.dice.between(1, 200);
            self.soon(after, Happening::Again(Box::new(request.clone())));
        }
        self.ask(request)
    }

    /// Reports early, late, forged, conflicting, or without saying on what.
    fn mischief(&mut self) -> Check {
        let runs: Vec<RunId> = self.books.keys().copied().collect();
        let Some(run) = self.dice.pick(&runs) else { return Ok(()) };
        let book = &self.books[&run];
        let all: Vec<(Fence, SubtaskIndex, Token, Kind, bool)> = book
            .attempts
            .iter()
            .map(|(fence, e)| (*fence, e.subtask, e.token, e.kind, e.open))
            .collect();
        let Some((fence, index, token, kind, open)) = self.dice.pick(&all) else { return Ok(()) };
        let subtask = self.books[&run].subtasks[index.get()].id.clone();
        let forged = Token(self.dice.any());
        match self.dice.below(5) {
            0 => {
                self.counters.count("forged tokens");
                self.report(run, subtask, Some((fence, forged)), true)
            }
            1 => {
                self.counters.count("forged fences");
                let fence = Fence(fence.0 + self.dice.between(1, 3));
                self.report(run, subtask, Some((fence, token)), true)
            }
            2 if !open => {
                // Over: what it says now is the same again, or something else, and too late in any case.
                self.counters.count("reports on closed attempts");
                let named = self.dice.percent(50);
                self.report(run, subtask, Some((fence, token)), named)
            }
            3 if open && kind != Kind::Claimed => {
                self.counters.count("reports on offers and on managed attempts");
                self.report(run, subtask, Some((fence, token)), true)
            }
            4 if open => {
                self.counters.count("reports without attempt");
                self.report(run, subtask, None, true)
            }
            _else => Ok(()),
        }
    }

    /// Sends a request to some process that lives; none may be there.
    pub(super) fn ask(&mut self, request: Request) -> Check {
        let alive: Vec<_> = self
            .processes
            .iter()
            .filter(|process| process.driver.is_some())
            .map(super::processes::Process::address)
            .collect();
        let Some(address) = self.dice.pick(&alive) else {
            self.ask_again(request);
            return Ok(());
        };
        let (run, command) = (request.run, request.command.clone());
        let reply = self.expect(address, Asked::Request(Box::new(request)));
        let after = self.dice.below(4);
        let input = Input::Command { run, command, by: None, reply };
        self.soon(after, Happening::Deliver(address, Box::new(input)));
        Ok(())
    }

    pub(super) fn ask_again(&mut self, mut request: Request) {
        if let Command::Claim(claim) = &mut request.command {
            // Who calls again draws other secrets.
            for want in &mut claim.wants {
                want.token = Token(want.token.0.wrapping_add(1));
            }
        }
        request.tries += 1;
        if request.tries < MAX_TRIES {
            let after = self.dice.between(5, 100);
            self.soon(after, Happening::Again(Box::new(request)));
        }
    }

    pub(super) fn suspend(&mut self, process: usize, run: usize) {
        let (Some(run), address) = (self.runs[run], self.processes[process].address()) else {
            return;
        };
        if self.is_alive(address) {
            let reply = self.expect(address, Asked::Suspend { run });
            let command = Command::Suspend { reason: "a break".to_owned() };
            let input = Input::Command { run, command, by: None, reply };
            self.soon(0, Happening::Deliver(address, Box::new(input)));
        }
    }

    pub(super) fn cancel(&mut self, process: usize, run: usize) {
        let (Some(run), address) = (self.runs[run], self.processes[process].address()) else {
            return;
        };
        if self.is_alive(address) {
            self.counters.count("cancels");
            let reply = self.expect(address, Asked::Cancel { run });
            let reason = CancelReason::Requested;
            let command = Command::Cancel { reason, detail: String::new() };
            let input = Input::Command { run, command, by: None, reply };
            self.soon(0, Happening::Deliver(address, Box::new(input)));
        }
    }

    /// The one who cancels knows nothing, and leaves it at that.
    pub(super) fn cancelled_in_vain(&mut self, _: RunId) {
        self.counters.count("cancels in vain");
    }
}
