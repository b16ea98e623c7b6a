//! Attempts as they go on in the world, whether or not their supervisor still lives.

use std::sync::Arc;

use orch_core::{
    Cause, Digest, Failure, Fence, LockName, RunId, StoredResult, SubtaskId, WorkerName,
    WorkerResult,
};
use serde_json::{Value, json};

use super::processes::Address;
use super::violation::{Check, Law, ensure};
use super::world::{Happening, World, short};
use crate::driver::{AttemptEnd, Input, StartAttempt};

/// How much longer than its grace time a stopped attempt may take, in milliseconds.
const KILL_MS: u64 = 50;
/// How long after a change of owner the attempts of the old one may go on: until it hears of it, and their grace.
const LOST_OWNER_MS: u64 = 5_000;

/// Names an attempt of the world.
pub(super) type PhysicalId = usize;

/// An attempt of the world.
pub(super) struct Physical {
    pub(super) by: Address,
    pub(super) run: RunId,
    pub(super) fence: Fence,
    pub(super) subtask: SubtaskId,
    pub(super) worker: WorkerName,
    locks: Vec<LockName>,
    state: Going,
    /// When it was told to stop.
    pub(super) stop_told: Option<u64>,
    /// Begun by a process that had lost the run while it waited for its append, and could not know.
    unknowing: bool,
    /// Set anew when its end is planned anew.
    version: u32,
    end: Ending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Going {
    On,
    /// Over; the process has not been told yet.
    Over,
    Delivered,
}

/// How an attempt is going to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Succeeds,
    SaysThatItFailed,
    FailsItsGate,
    Fails(Cause),
    Stopped,
    Killed,
}

impl Physical {
    pub(super) fn is_running(&self) -> bool {
        self.state == Going::On
    }

    pub(super) fn is_delivered(&self) -> bool {
        self.state == Going::Delivered
    }
}

impl World {
    /// Begins an attempt.
    pub(super) fn start(&mut self, by: Address, start: &StartAttempt) -> Check {
        let (run, fence) = (start.run, start.attempt.fence);
        let subtask = &start.subtask;
        let unknowing = !self.is_owner(by, run);
        self.check_start(by, start, unknowing)?;
        self.counters.count("attempts");
        if unknowing {
            self.counters.count("attempts of an owner that did not know that it was none");
        }
        let (length, end) = self.draw_course();
        self.physicals.push(Physical {
            by,
            run,
            fence,
            subtask: subtask.id.clone(),
            worker: start.worker.name().clone(),
            locks: subtask.locks.clone(),
            state: Going::On,
            stop_told: None,
            unknowing,
            version: 0,
            end,
        });
        let id = self.physicals.len() - 1;
        self.note(|| {
            format!(
                "{by} start {} attempt {fence} of {}: {end:?} in {length}",
                short(run),
                self_id(&start.subtask.id)
            )
        });
        self.soon(length, Happening::AttemptEnds(id, 0));
        Ok(())
    }

    fn draw_course(&mut self) -> (u64, Ending) {
        let length = match self.dice.below(10) {
            0..6 => self.dice.between(1, 100),
            6..9 => self.dice.between(50, 800),
            _else => self.dice.between(500, 8_000),
        };
        let failing = if self.is_quiet() { 10 } else { 30 };
        let causes = [
            Cause::Reported,
            Cause::Crash,
            Cause::RateLimit,
            Cause::Unavailable,
            Cause::Auth,
            Cause::BadOutput,
        ];
        let end = if self.dice.percent(failing) {
            match self.dice.below(4) {
                0 => Ending::SaysThatItFailed,
                1 => Ending::FailsItsGate,
                _else => Ending::Fails(self.dice.pick(&causes).unwrap_or(Cause::Crash)),
            }
        } else {
            Ending::Succeeds
        };
        (length, end)
    }

    fn check_start(&self, by: Address, start: &StartAttempt, unknowing: bool) -> Check {
        let (run, fence) = (start.run, start.attempt.fence);
        let again = self.physicals.iter().find(|p| p.run == run && p.fence == fence);
        ensure(again.is_none(), Law::StartedOnce, || {
            format!("{by} starts attempt {fence} of run {run} again")
        })?;
        let running = || self.physicals.iter().filter(|p| p.is_running());
        // The commit was made in time; nothing in between can be known. They are stopped soon, see below.
        let knowing = || running().filter(|p| !unknowing && !p.unknowing);
        let same = knowing().find(|p| p.run == run && p.subtask == start.subtask.id);
        ensure(same.is_none(), Law::NoOverlap, || {
            let other = same.map(|p| (p.by.to_string(), p.fence));
            format!("{by} starts attempt {fence} of {} while {other:?} runs", start.subtask.id)
        })?;
        let shared = |p: &&Physical| p.locks.iter().any(|lock| start.subtask.locks.contains(lock));
        let locked = knowing().find(shared);
        ensure(locked.is_none(), Law::LocksAreKept, || {
            let other = locked.map(|p| (p.by.to_string(), p.run, p.fence, p.locks.clone()));
            format!(
                "{by} starts attempt {fence} of run {run} with {:?} while {other:?} runs",
                start.subtask.locks
            )
        })?;
        let own = || running().filter(|p| p.by == by);
        let name = start.worker.name();
        let busy = own().filter(|p| p.worker == *name).count();
        let slots = start.worker.max_concurrency().get() as usize;
        ensure(busy < slots, Law::CapsAreKept, || {
            format!("{by} starts attempt {fence} though worker {name} makes {busy} of {slots}")
        })?;
        let cap = self.scenario.process_cap as usize;
        ensure(own().count() < cap, Law::CapsAreKept, || {
            format!("{by} starts attempt {fence} though {cap} are running")
        })?;
        self.check_inputs(by, start)
    }

    fn check_inputs(&self, by: Address, start: &StartAttempt) -> Check {
        let (run, fence) = (start.run, start.attempt.fence);
        let book = self.books.get(&run).filter(|book| book.attempts.contains_key(&fence));
        let Some(book) = book else {
            return Self::violated(
                Law::CommitFirst,
                format!("{by} starts attempt {fence} of run {run} before that is in the journal"),
            );
        };
        let index = book.attempts[&fence].subtask;
        let mut on: Vec<_> = book.dependencies[index.get()].iter().map(|(on, _)| *on).collect();
        on.sort();
        let expected: Vec<_> = on.iter().filter_map(|on| book.result_of(*on)).collect();
        let given: Vec<_> = start.inputs.iter().collect();
        ensure(given == expected, Law::InputsAreAccepted, || {
            format!("attempt {fence} of {} has other inputs: {given:?}", start.subtask.id)
        })?;
        let missing = on.len() - expected.len();
        ensure(start.absent.len() == missing, Law::InputsAreAccepted, || {
            format!("attempt {fence} is told of {:?}, {missing} are missing", start.absent)
        })
    }

    /// An attempt is told to stop: it ends soon, or is killed when its grace is over.
    pub(super) fn stop(&mut self, by: Address, run: RunId, fence: Fence, grace_ms: u64) {
        let found = self
            .physicals
            .iter()
            .position(|p| p.by == by && p.run == run && p.fence == fence && p.is_running());
        let Some(id) = found else { return };
        let (length, end) = match self.dice.below(10) {
            0..6 => (self.dice.between(0, grace_ms), Ending::Stopped),
            6..8 => (self.dice.between(0, grace_ms), Ending::Succeeds),
            _else => (grace_ms + KILL_MS, Ending::Killed),
        };
        self.note(|| format!("{by} stop {} attempt {fence}: {end:?} in {length}", short(run)));
        self.counters.count("stopped attempts");
        let physical = &mut self.physicals[id];
        physical.stop_told = Some(self.now);
        physical.version += 1;
        physical.end = end;
        let version = physical.version;
        self.soon(length, Happening::AttemptEnds(id, version));
    }

    pub(super) fn attempt_ends(&mut self, id: PhysicalId, version: u32) -> Check {
        let physical = &self.physicals[id];
        if physical.version == version && physical.is_running() {
            self.finish(id);
        }
        Ok(())
    }

    fn finish(&mut self, id: PhysicalId) {
        self.physicals[id].state = Going::Over;
        let physical = &self.physicals[id];
        let (by, run, fence) = (physical.by, physical.run, physical.fence);
        if !self.is_alive(by) {
            self.counters.count("attempts that outlived their supervisor");
            return;
        }
        let end = Box::new(self.end_of(id));
        let after = self.dice.below(3);
        self.note(|| format!("{by} attempt {fence} of {} is over: {:?}", short(run), end.failure));
        self.soon(after, Happening::Deliver(by, Box::new(Input::Finished { run, fence, end })));
    }

    fn end_of(&mut self, id: PhysicalId) -> AttemptEnd {
        let number = self.dice.any();
        let usage = self.draw_usage();
        let physical = &self.physicals[id];
        let (subtask, worker) = (physical.subtask.clone(), physical.worker.clone());
        let mut failure = None;
        let mut result = WorkerResult::success(subtask.clone(), worker.clone(), json!(number));
        match physical.end {
            Ending::Succeeds => {}
            Ending::SaysThatItFailed => result.success = false,
            Ending::FailsItsGate => result.output = Value::Null,
            Ending::Fails(cause) => failure = Some(Failure::new(cause, "it went wrong")),
            Ending::Stopped => failure = Some(Failure::new(Cause::Cancelled, "told to stop")),
            Ending::Killed => failure = Some(Failure::new(Cause::Crash, "killed")),
        }
        // Now and then an attempt that is stopped was still waiting for its inputs.
        let has_begun = physical.end != Ending::Stopped || !number.is_multiple_of(4);
        if failure.is_some() {
            result = WorkerResult::failure(subtask, worker, "it failed");
        }
        if let Some(usage) = usage {
            result.metadata.insert("usage".to_owned(), usage);
        }
        let digest = Digest::of_bytes(&number.to_le_bytes());
        let body = Arc::new(StoredResult { result: Arc::new(result), blob: None });
        AttemptEnd { digest, body, blob: None, failure, has_begun }
    }

    pub(super) fn draw_usage(&mut self) -> Option<Value> {
        let (cost, tokens) = (self.dice.below(1_500), self.dice.below(40));
        match self.dice.below(4) {
            0 => None,
            1 => Some(json!({ "input_tokens": tokens })),
            _else => Some(json!({ "input_tokens": tokens, "cost_usd": cost as f64 / 1e6 })),
        }
    }

    pub(super) fn delivered(&mut self, to: Address, run: RunId, fence: Fence) {
        let mut own = self.physicals.iter_mut();
        if let Some(p) = own.find(|p| p.by == to && p.run == run && p.fence == fence) {
            p.state = Going::Delivered;
        }
    }

    /// Makes sure that attempts are dead, unless that fails.
    pub(super) fn reap(&mut self, by: Address, run: RunId, fences: Vec<Fence>) -> Check {
        let fails = self.scenario.chances.reap_fails;
        let failed = self.fault(fails);
        for id in 0..self.physicals.len() {
            let physical = &self.physicals[id];
            let meant = physical.run == run && fences.contains(&physical.fence);
            if !meant || !physical.is_running() || (failed && self.dice.percent(50)) {
                continue;
            }
            self.counters.count("reaped attempts");
            self.physicals[id].end = Ending::Killed;
            self.finish(id);
        }
        let input = if failed {
            self.counters.count("failed reapings");
            Input::ReapFailed { run }
        } else {
            Input::Reaped { run, fences }
        };
        let after = self.latency();
        self.soon(after, Happening::Deliver(by, Box::new(input)));
        Ok(())
    }

    /// Attempts of a process that lives but has lost the run must end.
    pub(super) fn check_lost_owners(&self) -> Check {
        for physical in self.physicals.iter().filter(|p| p.is_running()) {
            let Some((since, owner)) = self.owners.get(&physical.run) else { continue };
            let lost = physical.by != *owner && self.is_alive(physical.by);
            let long = self.now > since + LOST_OWNER_MS;
            ensure(!(lost && long), Law::OnlyTheOwner, || {
                format!(
                    "{} still runs attempt {} though {owner} has owned the run since {since}",
                    physical.by, physical.fence
                )
            })?;
        }
        Ok(())
    }
}

fn self_id(id: &SubtaskId) -> &str {
    id.as_str()
}
