//! The task that owns the driver.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use jiff::Timestamp;
use orch_core::journal::Journal;
use orch_core::{Fence, RunId};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::attempt::Handle;
use super::call::{Call, Caller, Waited};
use super::store_health::{Access, StoreHealth, failure};
use super::{Parts, Subscribers, Ticker};
use crate::driver::{Driver, Input, ReplyId, Response};
use crate::machine::Refusal;
use crate::pauses::Pauses;

/// Calls that wait for the engine at most; more callers wait for a place.
pub(crate) const CALLS: usize = 1_024;
/// How much longer than its grace time a shutdown may take, whatever the store does. An attempt that does not end is
/// dropped half a second earlier, so that its end can still be written.
const AFTER_GRACE: Duration = Duration::from_millis(1_500);
/// How long an engine that nobody holds any more waits for attempts and for the store.
const DESERTED_PATIENCE: Duration = Duration::from_secs(30);
/// What is fed to the driver at once at most.
const BATCH: usize = 4_096;

pub(super) type Operation = Pin<Box<dyn Future<Output = Done> + Send>>;

/// What an operation outside the driver ended with.
pub(super) enum Done {
    Input(Input),
    /// A result is complete: its waiters can have it.
    Result(RunId, Waited),
    Nothing,
}

/// The engine's task.
pub(crate) struct Engine {
    pub(super) driver: Driver,
    pub(super) parts: Parts,
    pub(super) health: StoreHealth,
    /// Whether learned memory takes what it is told.
    pub(super) memory_health: StoreHealth,
    pub(super) ticker: Ticker,
    pub(super) calls: mpsc::Receiver<Call>,
    pub(super) events: mpsc::UnboundedReceiver<Input>,
    pub(super) send: mpsc::WeakUnboundedSender<Input>,
    pub(super) subscribers: Subscribers,
    pub(super) operations: FuturesUnordered<Operation>,
    /// What became known while outputs were carried out.
    pub(super) ready: Vec<Input>,
    pub(super) attempts: HashMap<(RunId, Fence), Handle>,
    /// Who waits for which answer.
    pub(super) replies: HashMap<ReplyId, Vec<Caller<Result<Response, Refusal>>>>,
    /// The answers that those wait for who want a run to go on.
    pub(super) resumes: HashMap<RunId, ReplyId>,
    pub(super) next_reply: ReplyId,
    pub(super) waiters: HashMap<RunId, Vec<Caller<Option<Waited>>>>,
    /// Results that are being completed.
    pub(super) completing: std::collections::BTreeSet<RunId>,
    pub(super) shutdown: Option<(Duration, Vec<Caller<()>>)>,
    /// When a shutdown no longer waits for what does not end.
    pub(super) give_up_at: Option<Instant>,
    /// Whether the last handle was dropped.
    pub(super) deserted: bool,
    pub(super) next_heartbeat: Option<Instant>,
}

impl Engine {
    pub(crate) fn new(
        parts: Parts,
        driver: Driver,
        calls: mpsc::Receiver<Call>,
        channel: (mpsc::WeakUnboundedSender<Input>, mpsc::UnboundedReceiver<Input>),
        subscribers: Subscribers,
    ) -> Self {
        Self {
            driver,
            ticker: Ticker::new(parts.clock),
            parts,
            health: StoreHealth::new("the store"),
            memory_health: StoreHealth::new("learned memory"),
            calls,
            events: channel.1,
            send: channel.0,
            subscribers,
            operations: FuturesUnordered::new(),
            ready: Vec::new(),
            attempts: HashMap::new(),
            replies: HashMap::new(),
            resumes: HashMap::new(),
            next_reply: 0,
            waiters: HashMap::new(),
            completing: std::collections::BTreeSet::new(),
            shutdown: None,
            give_up_at: None,
            deserted: false,
            next_heartbeat: None,
        }
    }

    /// Runs until everything is suspended after a shutdown, or after the last handle was dropped.
    pub(crate) async fn run(
        mut self,
        keep: mpsc::UnboundedSender<Input>,
        notice: watch::Sender<()>,
    ) {
        // The engine's own sender keeps the channel open for attempts; it never closes while the task runs.
        let mut foreign = notice.subscribe();
        let watcher = tokio::spawn(watch(self.parts.journal.clone(), self.health.clone(), notice));
        let workers = std::mem::take(&mut self.parts.workers);
        self.ready.extend(workers.into_iter().map(Input::Register));
        loop {
            self.step();
            if self.is_over() {
                break;
            }
            self.wait(&mut foreign).await;
        }
        watcher.abort();
        drop(keep);
        for caller in self.shutdown.map(|(_, callers)| callers).into_iter().flatten() {
            let _ = caller.send(());
        }
    }

    fn is_over(&self) -> bool {
        if self.give_up_at.is_some_and(|at| super::clock::monotonic() >= at) {
            tracing::warn!(
                "something did not end in time; what it belongs to can be taken over when this owner's time is over"
            );
            return true;
        }
        self.shutdown.is_some()
            && self.driver.is_idle()
            && self.attempts.is_empty()
            && self.completing.is_empty()
            && self.ready.is_empty()
            // Among them are the releases of runs: without them nobody else could go on at once.
            && self.operations.is_empty()
    }

    /// Waits until something has come, and gathers all that came with it.
    async fn wait(&mut self, foreign: &mut watch::Receiver<()>) {
        if !self.ready.is_empty() {
            return;
        }
        let now = self.ticker.read();
        let wake = self.driver.next_wake(now).map(|at| self.ticker.instant_of(at));
        let wake = [wake, self.next_heartbeat, self.give_up_at].into_iter().flatten().min();
        let mut batch = Vec::new();
        tokio::select! {
            _ = self.events.recv_many(&mut self.ready, BATCH) => {}
            Some(done) = self.operations.next() => self.done(done),
            call = self.calls.recv(), if !self.deserted => match call {
                Some(call) => batch.push(call),
                None => self.last_handle_dropped(),
            },
            Ok(()) = foreign.changed() => self.look_at_heads(),
            () = until(wake) => self.ready.push(Input::Time),
        }
        self.gather(batch);
    }

    fn gather(&mut self, mut batch: Vec<Call>) {
        while batch.len() < BATCH
            && let Ok(call) = self.calls.try_recv()
        {
            batch.push(call);
        }
        for call in batch {
            self.call(call);
        }
        while self.ready.len() < BATCH
            && let Ok(input) = self.events.try_recv()
        {
            self.ready.push(input);
        }
        while let Some(Some(done)) = self.operations.next().now_or_never() {
            self.done(done);
        }
    }

    pub(super) fn done(&mut self, done: Done) {
        match done {
            Done::Input(input) => self.ready.push(input),
            Done::Result(run, result) => self.tell(run, result),
            Done::Nothing => {}
        }
    }

    fn last_handle_dropped(&mut self) {
        if self.shutdown.is_none() {
            self.shutdown = Some((Duration::MAX, Vec::new()));
            self.give_up_after(DESERTED_PATIENCE);
            let reason = "the supervisor was dropped".to_owned();
            self.ready.push(Input::Shutdown { reason, leave_quiet: false });
        }
        // A closed channel is always ready: there is nobody left to listen to.
        self.deserted = true;
    }

    /// Feeds the driver, carries out what it wants, and goes on as long as that had answers at once.
    fn step(&mut self) {
        let now = self.ticker.read();
        if self.ticker.take_jumped() {
            tracing::warn!(%now, "the wall clock has jumped");
            self.ready.insert(0, Input::ClockJumped);
        }
        self.beat();
        loop {
            let inputs = std::mem::take(&mut self.ready);
            for input in &inputs {
                self.note(input, now);
            }
            let outputs = self.driver.step(inputs, now);
            for output in outputs {
                self.carry_out(output, now);
            }
            if self.ready.is_empty() {
                break;
            }
        }
    }

    fn call(&mut self, call: Call) {
        match call {
            Call::Submit(mut submission, workers, caller) => {
                submission.reply = self.expect(caller);
                let run = submission.run;
                self.ready.extend([Input::Submit(submission), Input::Guests { run, workers }]);
            }
            Call::Command(run, command, by, caller) => {
                let reply = self.expect(caller);
                self.ready.push(Input::Command { run, command: *command, by: Some(by), reply });
            }
            Call::Resume(run, workers, caller) => {
                // Who asks while somebody waits for the same gets the same answer.
                let asked = self.resumes.get(&run).and_then(|reply| self.replies.get_mut(reply));
                if let Some(callers) = asked {
                    return callers.push(caller);
                }
                let reply = self.expect(caller);
                self.resumes.insert(run, reply);
                self.ready.extend([Input::Resume { run, reply }, Input::Guests { run, workers }]);
            }
            Call::Wait(run, caller) => {
                if self.driver.will_tell(run) || self.completing.contains(&run) {
                    let waiters = self.waiters.entry(run).or_default();
                    waiters.retain(|waiter| !waiter.is_closed());
                    waiters.push(caller);
                } else {
                    let _ = caller.send(None);
                }
            }
            Call::Status(run, caller) => {
                let reply = self.expect(caller);
                self.ready.push(Input::Status { run, reply });
            }
            Call::Settled(run, patience, caller) => {
                let until = self.ticker.read().checked_add(patience).unwrap_or(Timestamp::MAX);
                let reply = self.expect(caller);
                self.ready.push(Input::Settled { run, until, reply });
            }
            Call::Shutdown { grace, leave_quiet, caller } => {
                let first = self.shutdown.is_none();
                let (limit, callers) = self.shutdown.get_or_insert((grace, Vec::new()));
                *limit = grace.min(*limit);
                callers.push(caller);
                if first {
                    self.give_up_after(grace.saturating_add(AFTER_GRACE));
                    let reason = "the supervisor was shut down".to_owned();
                    self.ready.push(Input::Shutdown { reason, leave_quiet });
                }
            }
        }
    }

    fn give_up_after(&mut self, patience: Duration) {
        self.give_up_at = super::clock::monotonic().checked_add(patience);
    }

    /// Takes note of what goes by on its way to the driver.
    fn note(&mut self, input: &Input, now: Timestamp) {
        if let Input::Finished { run, fence, .. } = input {
            self.attempts.remove(&(*run, *fence));
        }
        if matches!(input, Input::Acquired { .. }) {
            self.expect_heartbeat(now);
        }
    }

    fn expect(&mut self, caller: Caller<Result<Response, Refusal>>) -> ReplyId {
        self.next_reply += 1;
        self.replies.insert(self.next_reply, vec![caller]);
        self.next_reply
    }
}

async fn until(wake: Option<Instant>) {
    match wake {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Tells when others may have written to the journal.
async fn watch(journal: Arc<dyn Journal>, health: StoreHealth, notice: watch::Sender<()>) {
    let mut pauses = Pauses::default();
    loop {
        let change = journal.foreign_change().await;
        health.note(Access::Read, failure(&change));
        match change {
            Ok(()) => pauses.reset(),
            Err(error) => {
                tracing::debug!(%error, "the journal cannot be watched");
                tokio::time::sleep(pauses.next()).await;
            }
        }
        // A receiver that has not looked at the last notice yet learns the same from it.
        notice.send_replace(());
    }
}
