//! Runs in whichever process, read from the journal.

use std::collections::BTreeMap;

use orch_core::journal::{Journal, JournalError, Recorded};
use orch_core::{LockName, LockWait, OrchestrationResult, RunId, RunStatus, Seq, WorkerName};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

use super::Lifecycle;
use super::results::load_output;
use crate::driver::{ResultBlobs, Unfit, finish, fold};
use crate::error::SupervisorError;
use crate::guard::GuardedReaper;
use crate::machine::State;

/// Returns how a run stands.
pub(crate) async fn status_in(
    journal: &dyn Journal,
    run: RunId,
) -> Result<RunStatus, SupervisorError> {
    let events = journal.load(run, Seq(0)).await?;
    folded(run, &events).map(|state| state.status())
}

/// Says of every ready subtask which lock it waits for because another run holds it, and who carries out that run.
pub(crate) async fn add_lock_waits(
    journal: &dyn Journal,
    reaper: &GuardedReaper,
    status: &mut RunStatus,
) -> Result<(), SupervisorError> {
    // Most subtasks that need a lock need the same.
    let mut known: BTreeMap<LockName, Option<LockWait>> = BTreeMap::new();
    for subtask in &mut status.subtasks {
        for lock in &subtask.locks {
            if !known.contains_key(lock) {
                let holder = journal.lock_holder(&status.project, lock).await?;
                let wait = match holder.filter(|holder| *holder != status.run_id) {
                    Some(holder) => Some(lock_wait(journal, reaper, lock, holder).await?),
                    None => None,
                };
                known.insert(lock.clone(), wait);
            }
        }
        subtask.waits_for = subtask.locks.iter().find_map(|lock| known.get(lock)?.clone());
    }
    Ok(())
}

async fn lock_wait(
    journal: &dyn Journal,
    reaper: &GuardedReaper,
    lock: &LockName,
    holder: RunId,
) -> Result<LockWait, SupervisorError> {
    let owner = journal.row(holder).await?.and_then(|row| row.owner);
    let wait = LockWait::new(lock.clone(), holder);
    Ok(match owner {
        Some(owner) => wait
            .with_owner_ended(reaper.is_gone(&owner.process).await)
            .with_owner_pid(Some(owner.process.pid))
            .with_owner(Some(owner.name)),
        None => wait,
    })
}

/// Returns what became of a run; `None` while it has not ended.
pub(crate) async fn result_in(
    journal: &dyn Journal,
    run: RunId,
    slots: &BTreeMap<WorkerName, u32>,
) -> Result<Option<OrchestrationResult>, SupervisorError> {
    let events = journal.load(run, Seq(0)).await?;
    let state = folded(run, &events)?;
    if !state.is_ended() {
        return Ok(None);
    }
    let (result, blobs) = finish(&state, slots);
    Ok(Some(fill_in(journal, result, blobs).await?))
}

/// Waits until a run has events after `seen`, and returns its last one. The notices are of what this process does, and of what
/// others may have done.
pub(crate) async fn changed_in(
    journal: &dyn Journal,
    run: RunId,
    seen: Seq,
    (mut here, mut elsewhere): (broadcast::Receiver<Lifecycle>, watch::Receiver<()>),
) -> Result<Seq, SupervisorError> {
    loop {
        // Before looking, so that nothing gets lost between the look and the wait.
        elsewhere.mark_unchanged();
        let row = journal.row(run).await?.ok_or(SupervisorError::NoRun(run))?;
        if row.seq > seen {
            return Ok(row.seq);
        }
        tokio::select! {
            told = told_of(run, &mut here) => told?,
            alive = elsewhere.changed() => alive.map_err(|_| SupervisorError::ShutDown)?,
        }
    }
}

/// Waits until an event of a run is published, or until one may have been missed.
async fn told_of(
    run: RunId,
    here: &mut broadcast::Receiver<Lifecycle>,
) -> Result<(), SupervisorError> {
    loop {
        match here.recv().await {
            Ok(lifecycle) if lifecycle.head.run != run => {}
            Ok(_) | Err(RecvError::Lagged(_)) => return Ok(()),
            Err(RecvError::Closed) => return Err(SupervisorError::ShutDown),
        }
    }
}

/// Puts large outputs in their places.
pub(crate) async fn fill_in(
    journal: &dyn Journal,
    mut result: OrchestrationResult,
    blobs: ResultBlobs,
) -> Result<OrchestrationResult, JournalError> {
    if let Some(name) = blobs.output {
        result.aggregated_output = load_output(journal, name).await?;
    }
    for (place, name) in blobs.results {
        if let Some(worker_result) = result.subtask_results.get_mut(place) {
            worker_result.output = load_output(journal, name).await?;
        }
    }
    Ok(result)
}

fn folded(run: RunId, events: &[Recorded]) -> Result<State, SupervisorError> {
    fold(run, events).map_err(|unfit| match unfit {
        Unfit::Nothing => SupervisorError::NoRun(run),
        Unfit::Damaged(reason) => {
            JournalError::Corrupt { what: format!("run {run}"), reason }.into()
        }
    })
}
