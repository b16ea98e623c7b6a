//! The task that owns the driver.

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use jiff::Timestamp;
use orch_core::journal::{AcquireError, Journal, Owner};
use orch_core::{DecompositionRequest, Fence, OrchestrationResult, RunId};
use tokio::sync::{broadcast, mpsc};
use tokio::time::Instant;

use super::attempt::{self, Handle};
use super::call::{Call, Caller, Waited};
use super::lookup::fill_in;
use super::results::{take_large, whole};
use super::{Lifecycle, Parts, Ticker};
use crate::driver::{AggregateRun, Driver, Input, Left, Output, ReplyId, Response, ResultBlobs};
use crate::machine::{Outcome, Refusal};

/// Calls that wait for the engine at most; more callers wait for a place.
pub(crate) const CALLS: usize = 1_024;
/// What is fed to the driver at once at most.
const BATCH: usize = 4_096;

type Operation = Pin<Box<dyn Future<Output = Done> + Send>>;

/// What an operation outside the driver ended with.
enum Done {
    Input(Input),
    /// A result is complete: its waiters can have it.
    Result(RunId, Waited),
    Nothing,
}

/// The engine's task.
pub(crate) struct Engine {
    driver: Driver,
    parts: Parts,
    ticker: Ticker,
    calls: mpsc::Receiver<Call>,
    events: mpsc::UnboundedReceiver<Input>,
    send: mpsc::WeakUnboundedSender<Input>,
    subscribers: broadcast::Sender<Lifecycle>,
    operations: FuturesUnordered<Operation>,
    /// What became known while outputs were carried out.
    ready: Vec<Input>,
    attempts: HashMap<(RunId, Fence), Handle>,
    replies: HashMap<ReplyId, Caller<Result<Response, Refusal>>>,
    next_reply: ReplyId,
    waiters: HashMap<RunId, Vec<Caller<Option<Waited>>>>,
    /// Results that are being completed.
    completing: std::collections::BTreeSet<RunId>,
    statuses: Vec<(RunId, Caller<Option<orch_core::RunStatus>>)>,
    shutdown: Option<(Duration, Vec<Caller<()>>)>,
    /// Whether the last handle was dropped.
    deserted: bool,
    next_heartbeat: Option<Instant>,
}

impl Engine {
    pub(crate) fn new(
        parts: Parts,
        driver: Driver,
        calls: mpsc::Receiver<Call>,
        channel: (mpsc::WeakUnboundedSender<Input>, mpsc::UnboundedReceiver<Input>),
        subscribers: broadcast::Sender<Lifecycle>,
    ) -> Self {
        Self {
            driver,
            ticker: Ticker::new(parts.clock),
            parts,
            calls,
            events: channel.1,
            send: channel.0,
            subscribers,
            operations: FuturesUnordered::new(),
            ready: Vec::new(),
            attempts: HashMap::new(),
            replies: HashMap::new(),
            next_reply: 0,
            waiters: HashMap::new(),
            completing: std::collections::BTreeSet::new(),
            statuses: Vec::new(),
            shutdown: None,
            deserted: false,
            next_heartbeat: None,
        }
    }

    /// Runs until everything is suspended after a shutdown, or after the last handle was dropped.
    pub(crate) async fn run(mut self, keep: mpsc::UnboundedSender<Input>) {
        // The engine's own sender keeps the channel open for attempts; it never closes while the task runs.
        let (notice, mut foreign) = mpsc::channel(1);
        let watcher = tokio::spawn(watch(self.parts.journal.clone(), notice));
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
        self.shutdown.is_some()
            && self.driver.is_idle()
            && self.attempts.is_empty()
            && self.completing.is_empty()
            && self.ready.is_empty()
    }

    /// Waits until something has come, and gathers all that came with it.
    async fn wait(&mut self, foreign: &mut mpsc::Receiver<()>) {
        if !self.ready.is_empty() {
            return;
        }
        let now = self.ticker.read().now;
        let wake = self.driver.next_wake(now).map(|at| self.ticker.instant_of(at));
        let wake = [wake, self.next_heartbeat].into_iter().flatten().min();
        let mut batch = Vec::new();
        tokio::select! {
            _ = self.events.recv_many(&mut self.ready, BATCH) => {}
            Some(done) = self.operations.next() => self.done(done),
            call = self.calls.recv(), if !self.deserted => match call {
                Some(call) => batch.push(call),
                None => self.last_handle_dropped(),
            },
            Some(()) = foreign.recv() => self.look_at_heads(),
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

    fn done(&mut self, done: Done) {
        match done {
            Done::Input(input) => self.ready.push(input),
            Done::Result(run, result) => self.tell(run, result),
            Done::Nothing => {}
        }
    }

    fn last_handle_dropped(&mut self) {
        if self.shutdown.is_none() {
            self.shutdown = Some((Duration::MAX, Vec::new()));
            self.ready.push(Input::Shutdown { reason: "the supervisor was dropped".to_owned() });
        }
        // A closed channel is always ready: there is nobody left to listen to.
        self.deserted = true;
    }

    /// Feeds the driver, carries out what it wants, and goes on as long as that had answers at once.
    fn step(&mut self) {
        let reading = self.ticker.read();
        if reading.jumped {
            tracing::warn!(now = %reading.now, "the wall clock has jumped");
            self.ready.push(Input::ClockJumped);
        }
        self.beat();
        loop {
            let inputs = std::mem::take(&mut self.ready);
            for input in &inputs {
                if let Input::Finished { run, fence, .. } = input {
                    self.attempts.remove(&(*run, *fence));
                }
            }
            let outputs = self.driver.step(inputs, reading.now);
            for output in outputs {
                self.carry_out(output, reading.now);
            }
            if self.ready.is_empty() {
                break;
            }
        }
        self.answer_statuses();
    }

    fn call(&mut self, call: Call) {
        match call {
            Call::Submit(mut submission, caller) => {
                submission.reply = self.expect(caller);
                self.ready.push(Input::Submit(submission));
            }
            Call::Command(run, command, caller) => {
                let reply = self.expect(caller);
                self.ready.push(Input::Command { run, command: *command, reply });
            }
            Call::Resume(run, caller) => {
                let reply = self.expect(caller);
                self.ready.push(Input::Resume { run, reply });
            }
            Call::Wait(run, caller) => {
                let here = self.driver.state(run).is_some()
                    || self.driver.owned().any(|owned| owned == run);
                if here || self.completing.contains(&run) {
                    self.waiters.entry(run).or_default().push(caller);
                } else {
                    let _ = caller.send(None);
                }
            }
            Call::Status(run, caller) => self.statuses.push((run, caller)),
            Call::Shutdown(grace, caller) => {
                let first = self.shutdown.is_none();
                let (limit, callers) = self.shutdown.get_or_insert((grace, Vec::new()));
                *limit = grace.min(*limit);
                callers.push(caller);
                if first {
                    self.ready.push(Input::Shutdown {
                        reason: "the supervisor was shut down".to_owned(),
                    });
                }
            }
        }
    }

    fn expect(&mut self, caller: Caller<Result<Response, Refusal>>) -> ReplyId {
        self.next_reply += 1;
        self.replies.insert(self.next_reply, caller);
        self.next_reply
    }

    /// A status shows what is durable: it waits while an append is in flight.
    fn answer_statuses(&mut self) {
        let driver = &self.driver;
        for (run, caller) in self.statuses.extract_if(.., |(run, _)| !driver.is_in_flight(*run)) {
            let _ = caller.send(driver.state(run).map(crate::machine::State::status));
        }
    }

    fn carry_out(&mut self, output: Output, now: Timestamp) {
        let journal = self.parts.journal.clone();
        match output {
            Output::Append(append) => {
                let run = append.head.run;
                self.operate(async move {
                    Done::Input(match journal.append(*append).await {
                        Ok(()) => Input::Appended { run },
                        Err(error) => Input::AppendFailed { run, error },
                    })
                });
            }
            Output::Load { run, after } => self.operate(async move {
                Done::Input(match journal.load(run, after).await {
                    Ok(events) => Input::Loaded { run, after, events },
                    Err(error) => {
                        tracing::warn!(%run, %error, "a run could not be loaded");
                        Input::LoadFailed { run }
                    }
                })
            }),
            Output::Acquire { run } => self.acquire(run, now),
            Output::Release { run, epoch } => self.operate(async move {
                if let Err(error) = journal.release(run, epoch).await {
                    tracing::warn!(%run, %error, "a run could not be released; it will be free when its owner's time is over");
                }
                Done::Nothing
            }),
            Output::Start(start) => {
                if let Some(events) = self.send.upgrade() {
                    let key = (start.run, start.attempt.fence);
                    self.attempts.insert(key, attempt::spawn(*start, journal, events));
                }
            }
            Output::Stop { run, fence, grace_ms } => {
                if let Some(handle) = self.attempts.get(&(run, fence)) {
                    let limit = self.shutdown.as_ref().map_or(Duration::MAX, |(grace, _)| *grace);
                    handle.stop(Duration::from_millis(grace_ms).min(limit));
                }
            }
            Output::Reap { run, fences } => self.reap(run, fences),
            Output::Plan { run, task, given, max_subtasks } => {
                let (decomposer, workers) = (self.parts.decomposer.clone(), self.driver.pool().workers().to_vec());
                let max = std::num::NonZeroUsize::new(max_subtasks as usize).unwrap_or(std::num::NonZeroUsize::MIN);
                self.operate(async move {
                    let request = DecompositionRequest::new(&task, &workers, max).with_given(given.as_deref());
                    let plan = AssertUnwindSafe(decomposer.decompose(request)).catch_unwind().await;
                    let plan = match plan {
                        Ok(plan) => plan.map_err(|error| vec![with_causes(&error)]),
                        Err(_) => Err(vec!["the decomposer panicked".to_owned()]),
                    };
                    Done::Input(Input::Planned { run, plan })
                });
            }
            Output::Aggregate(input) => {
                let aggregator = self.parts.aggregator.clone();
                self.operate(async move {
                    let run = input.run;
                    Done::Input(Input::Aggregated { run, outcome: aggregate(&*journal, &*aggregator, *input).await })
                });
            }
            Output::Reply { reply, answer } => {
                if let Some(caller) = self.replies.remove(&reply) {
                    let _ = caller.send(answer);
                }
            }
            Output::Publish { head, events } => {
                if self.subscribers.receiver_count() > 0 {
                    let _ = self.subscribers.send(Lifecycle::new(head, events));
                }
            }
            Output::Ended { run, result, blobs } => self.ended(run, *result, blobs),
            Output::Left { run, why } => self.tell(run, Ok(Err(why))),
        }
    }

    /// Starts an operation; one that is done at once needs no waiting.
    fn operate(&mut self, operation: impl Future<Output = Done> + Send + 'static) {
        let mut operation: Operation = Box::pin(operation);
        match operation.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(done) => self.done(done),
            // Polled again, with a waker that wakes this task, when the engine waits.
            Poll::Pending => self.operations.push(operation),
        }
    }

    fn owner(&self, now: Timestamp) -> Owner {
        let until = now.checked_add(self.parts.owner_ttl).unwrap_or(Timestamp::MAX);
        Owner::new(
            self.parts.owner.clone(),
            self.parts.name.clone(),
            self.parts.process.clone(),
            until,
        )
    }

    /// Acquires a run, also from an owner that is known to be dead.
    fn acquire(&mut self, run: RunId, now: Timestamp) {
        let (journal, reaper, owner) =
            (self.parts.journal.clone(), self.parts.reaper.clone(), self.owner(now));
        self.next_heartbeat.get_or_insert(self.ticker.instant_of(now) + self.parts.owner_ttl / 3);
        self.operate(async move {
            let acquired = async {
                journal.register(&owner).await?;
                match journal.acquire(run, &owner.id, now, None).await {
                    Err(AcquireError::Owned { owner: other, epoch, .. })
                        if reaper.is_gone(&other.process) =>
                    {
                        journal.acquire(run, &owner.id, now, Some(epoch)).await
                    }
                    acquired => acquired,
                }
            };
            Done::Input(match acquired.await {
                Ok(epoch) => Input::Acquired { run, epoch },
                Err(error) => Input::NotAcquired { run, error },
            })
        });
    }

    /// Keeps the ownership of this process's runs alive.
    fn beat(&mut self) {
        let Some(due) = self.next_heartbeat else { return };
        let now = self.ticker.read().now;
        let instant = self.ticker.instant_of(now);
        if instant < due {
            return;
        }
        if self.driver.owned().next().is_none() {
            self.next_heartbeat = None;
            return;
        }
        self.next_heartbeat = Some(instant + self.parts.owner_ttl / 3);
        let (journal, owner) = (self.parts.journal.clone(), self.owner(now));
        self.operate(async move {
            if let Err(error) = journal.register(&owner).await {
                tracing::warn!(%error, "the ownership of runs could not be renewed");
            }
            Done::Nothing
        });
    }

    fn reap(&mut self, run: RunId, fences: Vec<Fence>) {
        let (journal, reaper) = (self.parts.journal.clone(), self.parts.reaper.clone());
        self.operate(async move {
            let reaped = async {
                let noted = journal.processes(run).await?;
                reaper.reap(run, &fences, &noted).await
            };
            Done::Input(match reaped.await {
                Ok(()) => Input::Reaped { run, fences },
                Err(error) => {
                    tracing::warn!(%run, %error, "processes of a dead supervisor may still live");
                    Input::ReapFailed { run }
                }
            })
        });
    }

    fn look_at_heads(&mut self) {
        let runs = self.driver.loaded_runs();
        if runs.is_empty() {
            return;
        }
        let journal = self.parts.journal.clone();
        self.operate(async move {
            match journal.heads(&runs).await {
                Ok(heads) => Done::Input(Input::Heads(heads)),
                Err(error) => {
                    tracing::warn!(%error, "the heads of runs could not be read");
                    Done::Nothing
                }
            }
        });
    }

    fn ended(&mut self, run: RunId, result: OrchestrationResult, blobs: ResultBlobs) {
        if blobs.output.is_none() && blobs.results.is_empty() {
            self.tell(run, Ok(Ok(result)));
            return;
        }
        self.completing.insert(run);
        let journal = self.parts.journal.clone();
        self.operate(
            async move { Done::Result(run, fill_in(&*journal, result, blobs).await.map(Ok)) },
        );
    }

    /// Tells those who wait for a run.
    fn tell(&mut self, run: RunId, result: Waited) {
        self.completing.remove(&run);
        let Some(mut waiters) = self.waiters.remove(&run) else { return };
        let Some(last) = waiters.pop() else { return };
        for waiter in waiters {
            let copy = match &result {
                Ok(result) => Some(Ok(result.clone())),
                // Whoever waits beside asks the journal.
                Err(_) => None,
            };
            let _ = waiter.send(copy);
        }
        let _ = last.send(Some(result));
    }
}

async fn until(wake: Option<Instant>) {
    match wake {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Tells when others may have written to the journal.
async fn watch(journal: Arc<dyn Journal>, notice: mpsc::Sender<()>) {
    loop {
        if let Err(error) = journal.foreign_change().await {
            tracing::warn!(%error, "the journal cannot be watched; trying again");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        // A notice that nobody has taken yet says the same.
        if let Err(mpsc::error::TrySendError::Closed(())) = notice.try_send(()) {
            return;
        }
    }
}

async fn aggregate(
    journal: &dyn Journal,
    aggregator: &dyn orch_core::Aggregator,
    run: AggregateRun,
) -> Outcome {
    let mut results = Vec::with_capacity(run.results.len());
    for stored in &run.results {
        match whole(journal, stored).await {
            Ok(result) => results.push(result),
            Err(error) => return Outcome::Failed(format!("a result cannot be loaded: {error}")),
        }
    }
    let aggregated =
        std::panic::catch_unwind(AssertUnwindSafe(|| aggregator.aggregate(&run.input(&results))));
    match aggregated {
        Ok(Ok(mut aggregated)) => {
            let blob = take_large(&mut aggregated.output);
            Outcome::Output(Box::new(aggregated), blob)
        }
        Ok(Err(error)) => Outcome::Failed(with_causes(&error)),
        Err(_) => Outcome::Failed("the aggregator panicked".to_owned()),
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
