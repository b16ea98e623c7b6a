//! Processes of attempts: noted while they run, ended when their supervisor died.

use async_trait::async_trait;

use crate::journal::{AttemptProcess, ProcessId};
use crate::{BoxError, Fence, RunId};

/// Takes note of the processes of one attempt.
pub trait ProcessLog: Send + Sync + 'static {
    /// Notes that the attempt has started `process`, the leader of its own group. Returns at once.
    fn started(&self, process: ProcessId);
}

/// Ends what attempts of a dead supervisor may have left behind.
#[async_trait]
pub trait Reaper: Send + Sync + 'static {
    /// Kills all processes of the attempts `fences` of `run`, of which `noted` are known; returns when all are dead.
    ///
    /// # Errors
    /// When one may still live.
    async fn reap(
        &self,
        run: RunId,
        fences: &[Fence],
        noted: &[AttemptProcess],
    ) -> Result<(), BoxError>;

    /// Tells whether a process is known to be gone; `false` when that cannot be known from here.
    fn is_gone(&self, _process: &ProcessId) -> bool {
        false
    }
}
