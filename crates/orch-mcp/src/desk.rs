//! What all tools share: the engine, the project, and how runs and subtasks are found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use orch_core::journal::{Journal, RunRow};
use orch_core::{
    Client, Origin, RunId, RunPhase, RunSettings, RunStatus, Subtask, SubtaskPhase, SubtaskStatus,
    Worker, WorkerKind, WorkerName,
};
use orch_supervisor::{Refusal, Supervisor, SupervisorError};
use orch_workers::AgentWorker;

use crate::error::ToolError;
use crate::files::Files;
use crate::mode::Mode;
use crate::request::{self, Note};
use crate::shutdown;
use crate::view::Views;
use orch_core::RunView;

/// How long a call waits for the engine to offer what became ready.
const SETTLE: Duration = Duration::from_millis(250);
/// The same when what is ready may wait for a worker of the server that is busy.
const SETTLE_BUSY: Duration = Duration::from_millis(30);
/// The same when another process carries the run out, which has to hear of it first.
const SETTLE_ELSEWHERE: Duration = Duration::from_secs(2);
/// How often a refusal that asks to try again is tried again.
const TRIES: u32 = 5;
/// How long runs of which nothing is at work here are suspended, before what is at work is told to end.
const SUSPENDING: Duration = Duration::from_secs(1);
/// How well an agent that is known by name only fits what it was not named for.
const GUEST_FIT: f64 = 0.1;

/// What all tools share. A clone is the same desk, for another client.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) supervisor: Supervisor,
    pub(crate) files: Files,
    pub(crate) settings: RunSettings,
    /// The client's agent for whatever no other fits.
    pub(crate) general: WorkerName,
    pub(crate) now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Whether this process is gone after a few calls.
    pub(crate) is_visitor: bool,
    /// Why this server runs no commands of the project though it has some, and what to do.
    pub(crate) withheld_commands: Option<String>,
    /// Where runs come from that are delegated here, as far as it is the same for all of them.
    pub(crate) origin: Origin,
    views: Arc<Views>,
    /// Runs of which this process does something itself, as far as it has ever begun to.
    carried_out: Arc<Mutex<BTreeSet<RunId>>>,
    /// Runs that were in a store before this one, which was lost, and what happened to it.
    pub(crate) lost: Arc<BTreeMap<RunId, Arc<str>>>,
}

impl Desk {
    pub(crate) fn new(
        supervisor: Supervisor,
        files: Files,
        settings: RunSettings,
        general: WorkerName,
        now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ) -> Self {
        Self {
            supervisor,
            files,
            settings,
            general,
            now,
            is_visitor: false,
            withheld_commands: None,
            origin: Origin::new(),
            views: Arc::default(),
            carried_out: Arc::default(),
            lost: Arc::default(),
        }
    }

    /// Returns the desk for calls of `client`; of a caller that is none, the calls are those of the process.
    pub(crate) fn for_client(&self, client: Option<Client>) -> Self {
        let mut desk = self.clone();
        if client.is_some() {
            desk.supervisor = self.supervisor.for_client(client);
        }
        desk
    }

    /// Gives all runs up; see [`Server::leave`](crate::Server::leave).
    pub(crate) async fn leave(&self, grace: Duration) {
        // A store that does not answer holds nobody up: what is at work is suspended by the engine, too.
        let suspended = tokio::time::timeout(SUSPENDING.min(grace), shutdown::suspend(self));
        if let Ok(Err(error)) = suspended.await {
            tracing::warn!(%error, "a run is left without being suspended");
        }
        self.supervisor.leave(grace.saturating_sub(SUSPENDING)).await;
    }

    pub(crate) fn journal(&self) -> &dyn Journal {
        &**self.supervisor.journal()
    }

    /// Returns the names of all workers.
    pub(crate) fn worker_names(&self) -> Vec<WorkerName> {
        self.supervisor.workers().iter().map(|worker| worker.name().clone()).collect()
    }

    pub(crate) fn worker(&self, name: &WorkerName) -> Option<Arc<dyn Worker>> {
        self.supervisor.worker(name)
    }

    /// Returns the names of those that the server runs itself.
    pub(crate) fn managed_workers(&self) -> Vec<WorkerName> {
        let workers = self.supervisor.workers();
        let managed = workers.iter().filter(|worker| worker.kind() == WorkerKind::Managed);
        managed.map(|worker| worker.name().clone()).collect()
    }

    /// Tells whether the server runs a worker itself.
    pub(crate) fn is_managed(&self, name: &WorkerName) -> bool {
        self.worker(name).is_some_and(|worker| worker.kind() == WorkerKind::Managed)
    }

    /// Makes the guests of a run: agents that its client has named and no file describes.
    pub(crate) fn guests(&self, note: &Note) -> Vec<Arc<dyn Worker>> {
        let guest = |name: &WorkerName| AgentWorker::new(name.clone(), "").with_floor(GUEST_FIT);
        note.guests.iter().map(|name| Arc::new(guest(name)) as Arc<dyn Worker>).collect()
    }

    /// Returns what memory tells a worker about a subtask, as text for its prompt; empty when there is nothing or it wants none.
    pub(crate) async fn recall(&self, worker: &WorkerName, subtask: &Subtask) -> String {
        let Some(worker) = self.worker(worker) else { return String::new() };
        let slice = self.supervisor.recall(&self.settings.project, &*worker, subtask).await;
        slice.map(|slice| slice.to_prompt()).unwrap_or_default()
    }

    /// Finds a run of this project by its id.
    pub(crate) async fn find(&self, id: &str) -> Result<RunRow, ToolError> {
        let none = || ToolError::NoRun(crate::answer::short(id, 60));
        let run: RunId = id.trim().parse().map_err(|_| none())?;
        let Some(row) = self.journal().row(run).await? else {
            let lost = self.lost.get(&run);
            return Err(lost.map_or_else(none, |why| ToolError::RunLost { run, why: why.clone() }));
        };
        if row.head.project == self.settings.project { Ok(row) } else { Err(none()) }
    }

    /// Returns a run, folded.
    pub(crate) async fn view(&self, run: RunId) -> Result<Arc<RunView>, ToolError> {
        let view = self.views.load(self.journal(), run).await?;
        view.ok_or_else(|| ToolError::NoRun(run.to_string()))
    }

    /// Returns the row of a run.
    pub(crate) async fn row(&self, run: RunId) -> Result<RunRow, ToolError> {
        self.journal().row(run).await?.ok_or_else(|| ToolError::NoRun(run.to_string()))
    }

    /// Returns who does a run. A run of `orch` can have workers of any kind.
    pub(crate) async fn mode(&self, run: RunId) -> Result<Mode, ToolError> {
        Ok(self.note(run).await?.map_or(Mode::Mixed, |note| note.mode))
    }

    /// Returns what is noted with a run. It never changes: a view of any age has it.
    pub(crate) async fn note(&self, run: RunId) -> Result<Option<Note>, ToolError> {
        Ok(match self.views.kept(run) {
            Some(view) => Note::of(&view),
            None => Note::of(&*self.view(run).await?),
        })
    }

    /// Sees to it that a run is carried out: when its owner is gone, this process takes it over. A visitor does so only when
    /// there is something to do for an owner: see [`attended`](Self::attended).
    pub(crate) async fn carry_on(&self, row: &RunRow) -> Result<(), ToolError> {
        if !self.is_visitor && self.may_take_over(row).await? {
            self.take_over(row.head.run).await?;
        }
        Ok(())
    }

    /// Tells whether a run is this process's to take over. A run of `orch` is left alone: a person may have suspended it. So is
    /// a suspended one for which a server would run something, and, for a server that runs nothing, every such run: it would only find
    /// that nobody can do its subtasks.
    async fn may_take_over(&self, row: &RunRow) -> Result<bool, ToolError> {
        if row.summary.phase == RunPhase::Ended || !request::is_ours(row) {
            return Ok(false);
        }
        let is_managed = self.mode(row.head.run).await?.runs_workers();
        let is_suspended = row.summary.phase == RunPhase::Suspended;
        Ok(!is_managed || !(is_suspended || self.managed_workers().is_empty()))
    }

    /// Tells whether a run is suspended until somebody asks for it, as this server would run something for it.
    pub(crate) async fn wants_resume(&self, row: &RunRow) -> Result<bool, ToolError> {
        Ok(row.summary.phase == RunPhase::Suspended
            && request::is_ours(row)
            && self.mode(row.head.run).await?.runs_workers())
    }

    /// Goes on with a run, suspended or not, because somebody wants it.
    pub(crate) async fn resume(&self, row: &RunRow) -> Result<(), ToolError> {
        if row.summary.phase == RunPhase::Ended {
            return Ok(());
        }
        if !request::is_ours(row) {
            return Err(ToolError::NotOurs(row.head.run));
        }
        if let Some(why) = &self.withheld_commands
            && self.mode(row.head.run).await?.runs_workers()
        {
            return Err(ToolError::Withheld(why.clone()));
        }
        self.take_over(row.head.run).await
    }

    async fn take_over(&self, run: RunId) -> Result<(), ToolError> {
        let note = self.note(run).await?.unwrap_or_default();
        for _ in 0..TRIES {
            match self.supervisor.resume_with(run, self.guests(&note)).await {
                Ok(()) => {
                    self.note_carried_out(run, note.mode);
                    return Ok(());
                }
                Err(SupervisorError::Refused(Refusal::Owned { .. } | Refusal::Ended { .. })) => {
                    return Ok(());
                }
                Err(SupervisorError::Refused(Refusal::Retry)) => pause(20).await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(SupervisorError::Refused(Refusal::Retry).into())
    }

    /// Takes note of a run that this process now carries out.
    pub(crate) fn note_carried_out(&self, run: RunId, mode: Mode) {
        if mode.runs_workers() {
            self.carried_out.lock().unwrap_or_else(PoisonError::into_inner).insert(run);
        }
    }

    /// Tells whether this process may be doing something itself for a run.
    pub(crate) fn carries_out(&self, run: RunId) -> bool {
        self.carried_out.lock().unwrap_or_else(PoisonError::into_inner).contains(&run)
    }

    /// Returns how a run stands once its owner has done what it does at once; also when the owner leaves meanwhile.
    pub(crate) async fn attended(&self, run: RunId) -> Result<RunStatus, ToolError> {
        let mode = self.mode(run).await?;
        let mut status = self.supervisor.status(run).await?;
        for _ in 0..TRIES {
            if !needs_owner(&status, mode) {
                break;
            }
            let is_ours = self.may_take_over(&self.row(run).await?).await?;
            if is_ours {
                self.take_over(run).await?;
            }
            status = self.settled(run).await?;
            if !is_ours || self.row(run).await?.owner.is_some() {
                break;
            }
        }
        Ok(status)
    }

    /// Waits a moment until the engine has offered what became ready, and returns how the run stands.
    pub(crate) async fn settled(&self, run: RunId) -> Result<RunStatus, ToolError> {
        let usual = match self.mode(run).await? {
            Mode::External => SETTLE,
            Mode::Managed | Mode::Mixed => SETTLE_BUSY,
        };
        let status = self.supervisor.settled(run, usual).await?;
        if !self.is_elsewhere(&status) {
            return Ok(status);
        }
        Ok(self.supervisor.settled(run, SETTLE_ELSEWHERE).await?)
    }

    /// Tells whether the engine has not yet done what it always does at once.
    fn is_elsewhere(&self, status: &RunStatus) -> bool {
        match status.status {
            RunPhase::Submitted | RunPhase::Planning | RunPhase::Aggregating => true,
            RunPhase::Active => status.counts.running == 0 && status.counts.ready > 0,
            RunPhase::Suspended | RunPhase::Cancelling | RunPhase::Ended => false,
        }
    }

    /// Does a command again that was refused only for the moment.
    pub(crate) async fn retried<T, F>(
        &self,
        mut command: impl FnMut() -> F,
    ) -> Result<T, SupervisorError>
    where
        F: Future<Output = Result<T, SupervisorError>>,
    {
        for _ in 1..TRIES {
            match command().await {
                Err(SupervisorError::Refused(Refusal::Retry)) => pause(10).await,
                other => return other,
            }
        }
        command().await
    }
}

/// Tells whether there is something to do for an owner, now or soon.
fn needs_owner(status: &RunStatus, mode: Mode) -> bool {
    match status.status {
        RunPhase::Submitted
        | RunPhase::Planning
        | RunPhase::Suspended
        | RunPhase::Cancelling
        | RunPhase::Aggregating => true,
        RunPhase::Ended => false,
        RunPhase::Active => {
            let waits = |subtask: &SubtaskStatus| subtask.status == SubtaskPhase::Backoff;
            !is_settled(status, mode) || status.subtasks.iter().any(waits)
        }
    }
}

/// Nothing is ready that nobody was offered, unless there is no room for it. What the server does itself need not be offered.
fn is_settled(status: &RunStatus, mode: Mode) -> bool {
    match status.status {
        RunPhase::Submitted | RunPhase::Planning | RunPhase::Aggregating => false,
        RunPhase::Suspended | RunPhase::Ended | RunPhase::Cancelling => true,
        RunPhase::Active if mode == Mode::Managed => status.counts.finished() < status.counts.total,
        RunPhase::Active => {
            let open = status.subtasks.iter().map(|subtask| subtask.open.len()).sum::<usize>();
            let full = open >= status.concurrency_limit as usize;
            let waits = |phase| match phase {
                SubtaskPhase::Ready | SubtaskPhase::Checking => true,
                SubtaskPhase::Waiting
                | SubtaskPhase::Offered
                | SubtaskPhase::Running
                | SubtaskPhase::Backoff
                | SubtaskPhase::Done
                | SubtaskPhase::Failed
                | SubtaskPhase::Skipped
                | SubtaskPhase::Cancelled
                | SubtaskPhase::Retired => false,
            };
            let over = status.counts.finished() == status.counts.total;
            !over && (full || !status.subtasks.iter().any(|subtask| waits(subtask.status)))
        }
    }
}

async fn pause(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}
