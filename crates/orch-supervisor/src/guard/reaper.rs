//! The reaper, guarded.

use std::sync::Arc;
use std::time::Duration;

use orch_core::journal::{AttemptProcess, ProcessId};
use orch_core::{BoxError, Fence, Reaper, RunId};

use super::{Guard, NoAnswer};

/// How long ending the processes of one run may take. Then they count as alive, and are tried again.
const REAP_LIMIT: Duration = Duration::from_secs(60);
/// How long it may take to see whether a process is gone. Then it counts as alive.
const IS_GONE_LIMIT: Duration = Duration::from_secs(1);

/// Why processes may still live.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReapFailure {
    #[error(transparent)]
    Failed(BoxError),
    #[error("the reaper {0}")]
    NoAnswer(NoAnswer),
}

/// A reaper that is asked on threads, each time with a limit.
#[derive(Clone)]
pub(crate) struct GuardedReaper {
    reaper: Arc<dyn Reaper>,
    guard: Guard,
}

impl GuardedReaper {
    pub(crate) fn new(reaper: Arc<dyn Reaper>) -> Self {
        Self { reaper, guard: Guard::new("reaper") }
    }

    /// Ends the processes of attempts; see [`Reaper::reap`].
    pub(crate) async fn reap(
        &self,
        run: RunId,
        fences: Vec<Fence>,
        noted: Vec<AttemptProcess>,
    ) -> Result<(), ReapFailure> {
        let reaper = self.reaper.clone();
        let reap = move || async move { reaper.reap(run, &fences, &noted).await };
        let reaped = self.guard.ask(REAP_LIMIT, reap).await.map_err(ReapFailure::NoAnswer)?;
        reaped.map_err(ReapFailure::Failed)
    }

    /// Tells whether a process is known to be gone; `false` without an answer, which is logged.
    pub(crate) async fn is_gone(&self, process: &ProcessId) -> bool {
        let (reaper, process) = (self.reaper.clone(), process.clone());
        let question = move || async move { reaper.is_gone(&process) };
        self.guard.ask(IS_GONE_LIMIT, question).await.unwrap_or_else(|why| {
            tracing::warn!("the reaper {why}; an owner of runs is taken to be alive");
            false
        })
    }
}
