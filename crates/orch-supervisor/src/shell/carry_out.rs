//! What the engine's task does for each output of the driver.

use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use jiff::Timestamp;
use orch_core::journal::{AcquireError, Append, AppendError, Journal, JournalError, Owner};
use orch_core::{
    Aggregator, BoxError, DecompositionRequest, Fence, LockName, MemorySnapshot,
    OrchestrationOutcome, OrchestrationResult, RunId, Seq,
};

use super::attempt::{self, Stores};
use super::call::Waited;
use super::engine::{Done, Engine, Operation};
use super::lookup::fill_in;
use super::patiently::patiently;
use super::results::{take_large, whole};
use super::store_health::{
    Access, StoreHealth, acquire_failure, append_failure, failure, with_causes,
};
use crate::driver::{AggregateRun, Input, Output, ResultBlobs, is_held_by_managed};
use crate::error::SupervisorError;
use crate::guard::{Guard, MemoryFailure, SLICE_LIMIT};
use crate::machine::Outcome;

/// How long a router, a failure handler or the gates may take for an answer.
const POLICY_LIMIT: Duration = Duration::from_secs(1);
/// How long a decomposer may take to make a plan.
const PLAN_LIMIT: Duration = Duration::from_secs(60);
/// How long an aggregator may take to make an output.
const AGGREGATE_LIMIT: Duration = Duration::from_secs(60);

impl Engine {
    pub(super) fn carry_out(&mut self, output: Output, now: Timestamp) {
        let journal = self.parts.journal.clone();
        match output {
            Output::Append(append) => {
                let run = append.head.run;
                let appended = self.append(*append, now);
                let health = self.health.clone();
                self.operate(async move {
                    let appended = appended.await;
                    health.note(Access::Write, append_failure(&appended));
                    Done::Input(match appended {
                        Ok(()) => Input::Appended { run },
                        Err(error) => Input::AppendFailed { run, error },
                    })
                });
            }
            Output::Load { run, after } => {
                let health = self.health.clone();
                self.operate(async move {
                    let loaded = journal.load(run, after).await;
                    health.note(Access::Read, failure(&loaded));
                    Done::Input(match loaded {
                        Ok(events) => Input::Loaded { run, after, events },
                        Err(error @ JournalError::Corrupt { .. }) => {
                            Input::Unreadable { run, reason: error.to_string() }
                        }
                        Err(error) => {
                            tracing::debug!(%run, %error, "a run could not be loaded");
                            Input::LoadFailed { run }
                        }
                    })
                });
            }
            Output::Acquire { run } => self.acquire(run, now),
            Output::CheckOwner { run, lock } => self.check_owner(run, lock),
            Output::Release { run, epoch } => self.operate(async move {
                if let Err(error) = journal.release(run, epoch).await {
                    tracing::debug!(%run, %error, "a run could not be released; it will be free when its owner's time is over");
                }
                Done::Nothing
            }),
            Output::Start(start) => {
                if let Some(events) = self.send.upgrade() {
                    let key = (start.run, start.attempt.fence);
                    let (memory, health) = (self.parts.memory.clone(), self.health.clone());
                    let slice_limit = slice_limit(start.until, now);
                    let stores = Stores { journal, memory, slice_limit, health };
                    self.attempts.insert(key, attempt::spawn(start, stores, events));
                }
            }
            Output::Stop { run, fence, grace_ms } => {
                if let Some(handle) = self.attempts.get(&(run, fence)) {
                    let limit = self.shutdown.as_ref().map_or(Duration::MAX, |(grace, _)| *grace);
                    handle.stop(Duration::from_millis(grace_ms).min(limit));
                }
            }
            Output::Reap { run, fences } => self.reap(run, fences),
            Output::Recall { run, project, task } => {
                let memory = self.parts.memory.clone();
                self.ask(async move {
                    let snapshot = match memory {
                        Some(memory) => memory.snapshot(run, project, task).await,
                        None => MemorySnapshot::default(),
                    };
                    Input::Recalled { run, snapshot }
                });
            }
            Output::Plan { run, task, given, max_subtasks, learned } => {
                let guard = self.parts.guards.decomposer.clone();
                let (decomposer, workers) = (self.parts.decomposer.clone(), self.driver.workers_of(run).into_owned());
                let max = NonZeroUsize::new(max_subtasks as usize).unwrap_or(NonZeroUsize::MIN);
                let plan = move || async move {
                    let request = DecompositionRequest::new(&task, &workers, max)
                        .with_given(given.as_deref())
                        .with_learned(learned.as_deref());
                    let plan = decomposer.decompose(request).await;
                    plan.map_err(|error| vec![with_causes(&error)])
                };
                self.ask(async move {
                    let plan = guard.ask(PLAN_LIMIT, plan).await;
                    let plan = plan.unwrap_or_else(|why| Err(vec![guard.failure(&why).message]));
                    Input::Planned { run, plan }
                });
            }
            Output::Ask(question) => {
                let guard = self.parts.guards.policy(question.policy).clone();
                let (run, number) = (question.run, question.number);
                self.ask(async move {
                    let answer = guard.ask(POLICY_LIMIT, move || async move { question.ask() });
                    let answer = answer.await.map_err(|why| guard.failure(&why));
                    Input::Answered { run, number, answer }
                });
            }
            Output::Aggregate(input) => {
                let guard = self.parts.guards.aggregator.clone();
                let (aggregator, health) = (self.parts.aggregator.clone(), self.health.clone());
                self.ask(async move {
                    let run = input.run;
                    let stored = (&*journal, &health);
                    let outcome = aggregate(stored, (&guard, aggregator), *input).await;
                    Input::Aggregated { run, outcome }
                });
            }
            Output::Reply { reply, answer } => {
                self.resumes.retain(|_, asked| *asked != reply);
                for caller in self.replies.remove(&reply).into_iter().flatten() {
                    let _ = caller.send(answer.clone());
                }
            }
            Output::Publish { head, events } => self.subscribers.publish(head, events),
            Output::Ended { run, outcome, result, blobs } => {
                self.ended(run, *result, blobs);
                self.remember(outcome.map(|outcome| *outcome));
            }
            Output::Left { run, why } => self.tell(run, Ok(Err(why))),
        }
    }

    /// Asks user code, in a task of its own: it may take long, and the engine goes on meanwhile.
    fn ask(&self, question: impl Future<Output = Input> + Send + 'static) {
        let Some(events) = self.send.upgrade() else { return };
        tokio::spawn(async move {
            // Without a receiver the engine is gone, and with it everybody who could want to know.
            tokio::select! {
                answer = question => drop(events.send(answer)),
                () = events.closed() => {}
            }
        });
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

    /// Appends a turn. The first one of a run makes this process its owner, which must be known to live then.
    fn append(
        &mut self,
        mut append: Append,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), AppendError>> + Send + 'static {
        let (journal, run) = (self.parts.journal.clone(), append.head.run);
        let is_new = append.expected == Seq(0);
        let owner = (is_new && self.next_heartbeat.is_none()).then(|| self.owner(now));
        if is_new {
            append.owner = Some(self.parts.owner.clone());
            self.expect_heartbeat(now);
        }
        async move {
            if let Some(owner) = owner {
                let registered = journal.register(&owner).await;
                registered.map_err(|error| AppendError::Store { run, source: error.into() })?;
            }
            journal.append(append).await
        }
    }

    /// Sees to it that the ownership of runs is renewed in time.
    pub(super) fn expect_heartbeat(&mut self, now: Timestamp) {
        if self.next_heartbeat.is_none() {
            self.next_heartbeat = self.ticker.instant_of(now).checked_add(self.parts.owner_ttl / 3);
        }
    }

    /// Acquires a run, also from an owner that is known to be dead.
    fn acquire(&mut self, run: RunId, now: Timestamp) {
        let (journal, reaper, owner) =
            (self.parts.journal.clone(), self.parts.reaper.clone(), self.owner(now));
        let health = self.health.clone();
        self.operate(async move {
            let acquired = async {
                journal.register(&owner).await?;
                match journal.acquire(run, &owner.id, now, None).await {
                    Err(AcquireError::Owned { run, owner: other, epoch }) => {
                        if reaper.is_gone(&other.process).await {
                            return journal.acquire(run, &owner.id, now, Some(epoch)).await;
                        }
                        Err(AcquireError::Owned { run, owner: other, epoch })
                    }
                    acquired => acquired,
                }
            };
            let acquired = acquired.await;
            health.note(Access::Write, acquire_failure(&acquired));
            Done::Input(match acquired {
                Ok(epoch) => Input::Acquired { run, epoch },
                Err(error) => Input::NotAcquired { run, error },
            })
        });
    }

    /// Tells the driver when a lock is held by managed attempts of a run whose owner is known to be gone.
    fn check_owner(&mut self, run: RunId, lock: LockName) {
        let (journal, reaper) = (self.parts.journal.clone(), self.parts.reaper.clone());
        self.operate(async move {
            // When the run cannot be read, the next try to take the lock asks again.
            let owner = journal.row(run).await.ok().flatten().and_then(|row| row.owner);
            let Some(owner) = owner else { return Done::Nothing };
            if reaper.is_gone(&owner.process).await
                && let Ok(events) = journal.load(run, Seq(0)).await
                && is_held_by_managed(run, &events, &lock)
            {
                return Done::Input(Input::OwnerGone { run });
            }
            Done::Nothing
        });
    }

    /// Keeps the ownership of this process's runs alive.
    pub(super) fn beat(&mut self) {
        let Some(due) = self.next_heartbeat else { return };
        let now = self.ticker.read();
        let instant = self.ticker.instant_of(now);
        if instant < due {
            return;
        }
        if self.driver.owned().next().is_none() {
            self.next_heartbeat = None;
            return;
        }
        self.next_heartbeat = instant.checked_add(self.parts.owner_ttl / 3);
        let (journal, owner) = (self.parts.journal.clone(), self.owner(now));
        let health = self.health.clone();
        self.operate(async move {
            let renewed = journal.register(&owner).await;
            health.note(Access::Write, failure(&renewed));
            if let Err(error) = renewed {
                tracing::debug!(%error, "the ownership of runs could not be renewed");
            }
            Done::Nothing
        });
    }

    fn reap(&mut self, run: RunId, fences: Vec<Fence>) {
        let (journal, reaper) = (self.parts.journal.clone(), self.parts.reaper.clone());
        let health = self.health.clone();
        self.operate(async move {
            let reaped = async {
                let noted = patiently(&health, || journal.processes(run)).await?;
                Ok::<(), BoxError>(reaper.reap(run, fences.clone(), noted).await?)
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

    pub(super) fn look_at_heads(&mut self) {
        let runs = self.driver.loaded_runs();
        if runs.is_empty() {
            return;
        }
        let (journal, health) = (self.parts.journal.clone(), self.health.clone());
        self.operate(async move {
            let heads = journal.heads(&runs).await;
            health.note(Access::Read, failure(&heads));
            match heads {
                Ok(heads) => Done::Input(Input::Heads(heads)),
                Err(error) => {
                    tracing::debug!(%error, "the heads of runs could not be read");
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
        let (journal, health) = (self.parts.journal.clone(), self.health.clone());
        self.operate(async move {
            let ask = || fill_in(&*journal, result.clone(), blobs.clone());
            Done::Result(run, patiently(&health, ask).await.map(Ok).map_err(SupervisorError::from))
        });
    }

    /// Tells memory how a run went. Nobody waits for it but a shutdown.
    fn remember(&mut self, outcome: Option<OrchestrationOutcome>) {
        let (Some(outcome), Some(memory)) = (outcome, self.parts.memory.clone()) else { return };
        let outcome = outcome.with_supervisor(self.parts.own_scope().agent_name);
        let (health, run) = (self.memory_health.clone(), outcome.id.clone());
        self.operate(async move {
            match memory.record_outcome(outcome).await {
                Ok(()) => health.note(Access::Write, None),
                Err(MemoryFailure::Failed(error)) => {
                    health.note(Access::Write, Some(&*error));
                    tracing::debug!(%run, %error, "memory did not take the outcome of a run");
                }
                Err(MemoryFailure::NoAnswer(why)) => {
                    tracing::warn!(%run, "memory {why}; it did not take the outcome of a run");
                }
            }
            Done::Nothing
        });
    }

    /// Tells those who wait for a run.
    pub(super) fn tell(&mut self, run: RunId, result: Waited) {
        self.completing.remove(&run);
        let Some(mut waiters) = self.waiters.remove(&run) else { return };
        let Some(last) = waiters.pop() else { return };
        for waiter in waiters {
            let copy = match &result {
                Ok(result) => Some(Ok(result.clone())),
                // Errors are not cloned: the other waiters ask the journal.
                Err(_) => None,
            };
            let _ = waiter.send(copy);
        }
        let _ = last.send(Some(result));
    }
}

/// How long memory may take to say what helps a worker: at most a tenth of the attempt's time, so that no attempt is too late for it.
fn slice_limit(until: Timestamp, now: Timestamp) -> Duration {
    let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
    SLICE_LIMIT.min(left / 10)
}

/// Loads the results of a run and makes its output of them.
async fn aggregate(
    (journal, health): (&dyn Journal, &StoreHealth),
    (guard, aggregator): (&Guard, Arc<dyn Aggregator>),
    run: AggregateRun,
) -> Outcome {
    let mut results = Vec::with_capacity(run.results.len());
    for stored in &run.results {
        match patiently(health, || whole(journal, stored)).await {
            Ok(result) => results.push(result),
            Err(error) => return Outcome::Failed(format!("a result cannot be loaded: {error}")),
        }
    }
    let make = move || async move {
        match aggregator.aggregate(&run.input(&results)) {
            Ok(mut aggregated) => {
                let blob = take_large(&mut aggregated.output);
                Outcome::Output(Box::new(aggregated), blob)
            }
            Err(error) => Outcome::Failed(with_causes(&error)),
        }
    };
    let made = guard.ask(AGGREGATE_LIMIT, make).await;
    made.unwrap_or_else(|why| Outcome::Failed(guard.failure(&why).message))
}
