//! The handle on a running engine.

mod attempts;
mod workers;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use orch_core::journal::{Journal, RunFilter, RunRow};
use orch_core::{
    Actor, CancelReason, Client, ComplexTask, JsonMap, OrchestrationResult, Origin, RunId,
    RunSettings, RunStatus, Seq, Worker, WorkerName,
};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::builder::Builder;
use crate::delegation::Delegation;
use crate::driver::{Driver, Input, Left, Response, Submission};
use crate::error::SupervisorError;
use crate::guard::{GuardedMemory, GuardedReaper, MemoryFailure};
use crate::machine::{Answer, Command, Refusal, Want};
use crate::request::{SubmitOptions, task_may_be_stored};
use crate::shell::{
    Call, Engine, Lifecycle, Parts, Subscribers, Ticker, add_lock_waits, changed_in, result_in,
    run_entropy, seed, status_in,
};

/// How often `wait` looks at a run that another process carries out.
const FOREIGN_WAIT: Duration = Duration::from_millis(200);

/// Runs complex tasks. Clones are handles on the same engine; when the last is dropped, its runs are suspended.
#[derive(Clone)]
pub struct Supervisor {
    inner: Arc<Inner>,
    /// Whom this handle is recorded as.
    actor: Arc<Actor>,
}

struct Inner {
    calls: mpsc::Sender<Call>,
    events: mpsc::UnboundedSender<Input>,
    subscribers: Subscribers,
    /// Tells when others may have written to the journal.
    foreign: watch::Receiver<()>,
    journal: Arc<dyn Journal>,
    settings: RunSettings,
    memory: Option<GuardedMemory>,
    reaper: GuardedReaper,
    delegation: Delegation,
    /// How many attempts each worker can make at once, as far as it was ever registered here.
    slots: Mutex<BTreeMap<WorkerName, u32>>,
    /// The workers that are registered.
    workers: Mutex<workers::Workers>,
    ticker: Mutex<Ticker>,
}

impl Supervisor {
    /// Begins to put a supervisor together.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn start(mut parts: Parts) -> Self {
        let actor = Actor::new().with_process(parts.name.clone()).with_user(parts.user.clone());
        let delegation = Delegation::new(parts.own_scope());
        parts.workers = delegation.admitted(&parts.workers);
        let (calls, calls_in) = mpsc::channel(crate::shell::CALLS);
        let (events, events_in) = mpsc::unbounded_channel();
        let subscribers = Subscribers::new();
        let (notice, foreign) = watch::channel(());
        let inner = Inner {
            calls,
            events: events.clone(),
            subscribers: subscribers.clone(),
            foreign,
            journal: parts.journal.clone(),
            settings: parts.settings.clone(),
            memory: parts.memory.clone(),
            reaper: parts.reaper.clone(),
            delegation,
            slots: Mutex::new(
                parts
                    .workers
                    .iter()
                    .map(|w| (w.name().clone(), w.max_concurrency().get()))
                    .collect(),
            ),
            workers: Mutex::new(
                parts.workers.iter().map(|w| (w.name().clone(), w.clone())).collect(),
            ),
            ticker: Mutex::new(Ticker::new(parts.clock)),
        };
        let driver = Driver::new(parts.policies.clone(), parts.process_cap, seed());
        let engine =
            Engine::new(parts, driver, calls_in, (events.downgrade(), events_in), subscribers);
        tokio::spawn(engine.run(events, notice));
        Self { inner: Arc::new(inner), actor: Arc::new(actor) }
    }

    /// Returns a handle on the same engine for calls on behalf of `client`: its name is recorded with what they cause.
    #[must_use]
    pub fn for_client(&self, client: impl Into<Option<Client>>) -> Self {
        let actor = Actor::clone(&self.actor).with_client(client);
        Self { inner: self.inner.clone(), actor: Arc::new(actor) }
    }

    /// Runs a task to its end: splits it, gives the subtasks to workers, survives failures, makes one output.
    ///
    /// `context` is added to the task's own; on equal keys it counts.
    ///
    /// # Errors
    /// When the task is refused, the run is suspended or goes to another owner, or the journal fails. A task that was run and
    /// failed is no error: see [`OrchestrationResult::status`].
    pub async fn execute(
        &self,
        mut task: ComplexTask,
        context: impl Into<Option<JsonMap>>,
    ) -> Result<OrchestrationResult, SupervisorError> {
        task.context.extend(context.into().unwrap_or_default());
        let run = self.submit(task).await?;
        self.wait(run).await
    }

    /// Submits a task with the supervisor's settings; it is durable when this returns.
    ///
    /// # Errors
    /// When the supervisor may not run tasks or is shutting down, or the journal fails.
    pub async fn submit(&self, task: ComplexTask) -> Result<RunId, SupervisorError> {
        self.submit_with(task, SubmitOptions::new()).await
    }

    /// Submits a task; it is durable when this returns.
    ///
    /// # Errors
    /// When the supervisor may not run tasks or is shutting down, or the journal fails.
    pub async fn submit_with(
        &self,
        task: ComplexTask,
        options: SubmitOptions,
    ) -> Result<RunId, SupervisorError> {
        self.inner.delegation.may_orchestrate()?;
        for guest in &options.guests {
            self.inner.delegation.check(guest.name())?;
        }
        task_may_be_stored(&task, &options)?;
        if let Some(key) = &options.request_key {
            let settings = options.settings.as_ref().unwrap_or(&self.inner.settings);
            if let Some(run) = self.inner.journal.run_of_request(&settings.project, key).await? {
                return Ok(run);
            }
        }
        let submission = Submission {
            run: self.new_run(),
            task: Arc::new(task),
            settings: Arc::new(options.settings.unwrap_or_else(|| self.inner.settings.clone())),
            given: options.plan.map(Arc::new),
            request_key: options.request_key,
            origin: Arc::new(self.origin(options.origin)),
            by: Some(self.actor.clone()),
            reply: 0,
        };
        let guests = options.guests;
        match self.call(|caller| Call::Submit(Box::new(submission), guests, caller)).await?? {
            Response::Run(run) => Ok(run),
            Response::Answer(_) | Response::Status(_) => Err(SupervisorError::ShutDown),
        }
    }

    /// The client of this handle is the one that submits, unless it says otherwise.
    fn origin(&self, mut origin: Origin) -> Origin {
        origin.client = origin.client.or_else(|| self.actor.client.clone());
        origin
    }

    fn new_run(&self) -> RunId {
        let mut ticker = self.inner.ticker.lock().unwrap_or_else(PoisonError::into_inner);
        RunId::new(ticker.read(), run_entropy())
    }

    /// Waits until a run has ended, whichever process it runs in.
    ///
    /// # Errors
    /// When there is no such run, when it is suspended or leaves this process, or when the journal fails.
    pub async fn wait(&self, run: RunId) -> Result<OrchestrationResult, SupervisorError> {
        match self.call(|caller| Call::Wait(run, caller)).await? {
            Some(Ok(Ok(result))) => Ok(result),
            Some(Ok(Err(Left::Suspended))) => Err(SupervisorError::Suspended(run)),
            Some(Ok(Err(Left::OwnerChanged | Left::GivenUp))) => {
                Err(SupervisorError::OwnerChanged(run))
            }
            Some(Ok(Err(Left::Unreadable(reason)))) => {
                Err(Refusal::Unreadable { run, reason }.into())
            }
            Some(Err(error)) => Err(error),
            None => self.wait_elsewhere(run).await,
        }
    }

    /// The run is in another process, or over.
    async fn wait_elsewhere(&self, run: RunId) -> Result<OrchestrationResult, SupervisorError> {
        loop {
            let row = self.inner.journal.row(run).await?.ok_or(SupervisorError::NoRun(run))?;
            match row.summary.phase {
                orch_core::RunPhase::Ended => {
                    let result = result_in(&*self.inner.journal, run, &self.slots()).await?;
                    return result.ok_or(SupervisorError::NoRun(run));
                }
                orch_core::RunPhase::Suspended => return Err(SupervisorError::Suspended(run)),
                orch_core::RunPhase::Submitted
                | orch_core::RunPhase::Planning
                | orch_core::RunPhase::Active
                | orch_core::RunPhase::Cancelling
                | orch_core::RunPhase::Aggregating => tokio::time::sleep(FOREIGN_WAIT).await,
            }
        }
    }

    /// Waits until something has happened in a run after its event `seen`, in whichever process, and returns its last event.
    ///
    /// It does not return while nothing happens; dropping it is harmless.
    ///
    /// # Errors
    /// When there is no such run, when the journal fails, or when the engine has ended.
    pub async fn changed(&self, run: RunId, seen: Seq) -> Result<Seq, SupervisorError> {
        let notices = (self.subscribe(), self.inner.foreign.clone());
        changed_in(&*self.inner.journal, run, seen, notices).await
    }

    /// Returns where runs are kept.
    pub fn journal(&self) -> &Arc<dyn Journal> {
        &self.inner.journal
    }

    /// Returns what became of a run, `None` while it has not ended.
    ///
    /// # Errors
    /// When there is no such run or the journal fails.
    pub async fn result(&self, run: RunId) -> Result<Option<OrchestrationResult>, SupervisorError> {
        result_in(&*self.inner.journal, run, &self.slots()).await
    }

    /// Tells memory what a person thinks of a run's output: `score` from 0 (useless) to 1 (perfect).
    ///
    /// # Errors
    /// When there is no memory, or it fails.
    pub async fn feedback(
        &self,
        run: RunId,
        score: f64,
        note: &str,
    ) -> Result<(), SupervisorError> {
        let Some(memory) = &self.inner.memory else {
            return Err(SupervisorError::Memory("the supervisor was built without one".into()));
        };
        memory.feedback(run, score, note).await.map_err(|error| match error {
            MemoryFailure::Failed(error) => SupervisorError::Memory(error),
            error @ MemoryFailure::NoAnswer(_) => SupervisorError::Memory(error.into()),
        })
    }

    /// Returns how a run stands.
    ///
    /// # Errors
    /// When there is no such run or the journal fails.
    pub async fn status(&self, run: RunId) -> Result<RunStatus, SupervisorError> {
        let answer = self.call(|caller| Call::Status(run, caller)).await?;
        self.status_of(run, answer).await
    }

    /// Returns how a run stands once it has settled: when all is done that follows at once, wherever it is carried out. After
    /// a submission that is the plan, and its first subtasks started or offered; after a report what became ready, or the
    /// output and the end. At the latest after `patience`, however it stands then.
    ///
    /// # Errors
    /// When there is no such run or the journal fails.
    pub async fn settled(
        &self,
        run: RunId,
        patience: Duration,
    ) -> Result<RunStatus, SupervisorError> {
        let answer = self.call(|caller| Call::Settled(run, patience, caller)).await?;
        self.status_of(run, answer).await
    }

    async fn status_of(
        &self,
        run: RunId,
        answer: Result<Response, Refusal>,
    ) -> Result<RunStatus, SupervisorError> {
        let mut status = match answer {
            Ok(Response::Status(status)) => *status,
            // It is not here, or not readable at the moment: the journal knows.
            Ok(Response::Run(_) | Response::Answer(_)) | Err(_) => {
                status_in(&*self.inner.journal, run).await?
            }
        };
        add_lock_waits(&*self.inner.journal, &self.inner.reaper, &mut status).await?;
        Ok(status)
    }

    /// Lists runs, newest first.
    ///
    /// # Errors
    /// When the journal fails.
    pub async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>, SupervisorError> {
        Ok(self.inner.journal.rows(filter).await?)
    }

    /// Cancels a run: nothing new starts, running attempts are stopped, and it ends with what it has. Returns `false` when it
    /// had ended before, or was ending for another reason.
    ///
    /// The owner carries it out; when there is none that lives, this process does.
    ///
    /// # Errors
    /// When there is no such run or the journal fails.
    pub async fn cancel(&self, run: RunId) -> Result<bool, SupervisorError> {
        let command = Command::Cancel { reason: CancelReason::Requested, detail: String::new() };
        let cancelling = self.command(run, command).await? == Answer::Cancelling(true);
        if cancelling {
            match self.resume(run).await {
                Ok(())
                | Err(
                    SupervisorError::Scope(_)
                    | SupervisorError::Refused(Refusal::Owned { .. } | Refusal::Ended { .. }),
                ) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(cancelling)
    }

    /// Makes this process the owner of a run and goes on with it, after whatever its last owner left behind is dead.
    ///
    /// # Errors
    /// When the supervisor may not run tasks, when there is no such run, when it has ended, when a living process owns it (the
    /// error says which), or when the journal fails.
    pub async fn resume(&self, run: RunId) -> Result<(), SupervisorError> {
        self.resume_with(run, Vec::new()).await
    }

    /// Like [`resume`](Self::resume), for a run with guests: pull workers that only this run knows. A guest is given work as a
    /// registered worker is, by this run alone; with the name of a registered worker it is nobody. Guests are forgotten when
    /// the run has ended or leaves this process.
    ///
    /// # Errors
    /// As `resume`; and when the supervisor may not give work to one of the guests.
    pub async fn resume_with(
        &self,
        run: RunId,
        guests: Vec<Arc<dyn Worker>>,
    ) -> Result<(), SupervisorError> {
        self.inner.delegation.may_orchestrate()?;
        for guest in &guests {
            self.inner.delegation.check(guest.name())?;
        }
        self.call(|caller| Call::Resume(run, guests, caller)).await??;
        Ok(())
    }

    /// Suspends a run: attempts are stopped and count as lost, not as failed; `resume` goes on.
    ///
    /// # Errors
    /// When there is no such run, when it has ended, or when the journal fails.
    pub async fn suspend(
        &self,
        run: RunId,
        reason: impl Into<String>,
    ) -> Result<(), SupervisorError> {
        self.command(run, Command::Suspend { reason: reason.into() }).await.map(|_| ())
    }

    /// Follows what happens from now on, in this process and, for runs that it owns, in others. A subscriber that lags too far
    /// behind loses events and is told how many; the journal has them all.
    pub fn subscribe(&self) -> broadcast::Receiver<Lifecycle> {
        self.inner.subscribers.subscribe()
    }

    /// Follows what happens from now on as [`subscribe`](Self::subscribe) does, and loses nothing: what is not received yet
    /// is kept in memory, without bound. It is for those who take every event at once, and note what they are to do with it.
    pub fn follow(&self) -> mpsc::UnboundedReceiver<Lifecycle> {
        self.inner.subscribers.follow()
    }

    /// Suspends all runs of this process, gives attempts `grace` to end, and ends the engine: within `grace` and 2 s, whatever
    /// the store does. A run that could not be suspended in time can be taken over when the time of its owner is over.
    pub async fn shutdown(&self, grace: Duration) {
        // An engine that has ended has nothing left to suspend.
        let end = |caller| Call::Shutdown { grace, leave_quiet: false, caller };
        let _ = self.call(end).await;
    }

    /// Like [`shutdown`](Self::shutdown), but a run of which nothing goes on in this process is given up as it is, and not
    /// suspended: pull workers go on to claim and to report, and no lease is lengthened for a moment without an owner.
    pub async fn leave(&self, grace: Duration) {
        let _ = self.call(|caller| Call::Shutdown { grace, leave_quiet: true, caller }).await;
    }

    fn slots(&self) -> BTreeMap<WorkerName, u32> {
        self.inner.slots.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the actor of this handle, as one of its workers.
    fn acting_as(&self, worker: Option<&WorkerName>) -> Arc<Actor> {
        match worker {
            Some(worker) => Arc::new(Actor::clone(&self.actor).with_agent(worker.clone())),
            None => self.actor.clone(),
        }
    }

    async fn command(&self, run: RunId, command: Command) -> Result<Answer, SupervisorError> {
        self.command_by(self.actor.clone(), run, command).await
    }

    async fn command_by(
        &self,
        by: Arc<Actor>,
        run: RunId,
        command: Command,
    ) -> Result<Answer, SupervisorError> {
        match self.call(|caller| Call::Command(run, Box::new(command), by, caller)).await?? {
            Response::Answer(answer) => Ok(answer),
            Response::Run(_) | Response::Status(_) => Ok(Answer::Done),
        }
    }

    async fn call<T>(
        &self,
        call: impl FnOnce(oneshot::Sender<T>) -> Call,
    ) -> Result<T, SupervisorError> {
        let (caller, answer) = oneshot::channel();
        self.inner.calls.send(call(caller)).await.map_err(|_| SupervisorError::ShutDown)?;
        answer.await.map_err(|_| SupervisorError::ShutDown)
    }
}

/// Returns the worker that all wants are for; `None` when they are for several.
fn one_worker(wants: &[Want]) -> Option<&WorkerName> {
    let first = &wants.first()?.worker;
    wants.iter().all(|want| want.worker == *first).then_some(first)
}
