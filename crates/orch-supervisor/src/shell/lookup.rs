//! Runs that are not in this process, read from the journal.

use std::collections::BTreeMap;

use orch_core::journal::{Journal, JournalError, Recorded};
use orch_core::{OrchestrationResult, RunId, RunStatus, Seq, WorkerName};

use super::results::load_output;
use crate::driver::{ResultBlobs, Unfit, finish, fold};
use crate::error::SupervisorError;
use crate::machine::State;

/// Returns how a run stands.
pub(crate) async fn status_in(
    journal: &dyn Journal,
    run: RunId,
) -> Result<RunStatus, SupervisorError> {
    let events = journal.load(run, Seq(0)).await?;
    folded(run, &events).map(|state| state.status())
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
    fill_in(journal, result, blobs).await.map(Some)
}

/// Puts large outputs in their places.
pub(crate) async fn fill_in(
    journal: &dyn Journal,
    mut result: OrchestrationResult,
    blobs: ResultBlobs,
) -> Result<OrchestrationResult, SupervisorError> {
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
