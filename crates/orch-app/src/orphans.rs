//! What attempts leave behind, ended by the program that started them.

use std::time::Duration;

use orch_workers::process::orphans;
use tokio::runtime::Runtime;

/// The care for processes that attempts leave behind: for programs that start no children but attempts.
#[must_use = "the processes are ended at the end of the program"]
#[derive(Debug)]
pub struct Orphans(());

impl Orphans {
    /// Makes this process the parent of what attempts leave behind, before the first attempt. Where the system cannot do
    /// it, every attempt looks for what it has left among all processes.
    pub fn adopt(runtime: &Runtime) -> Self {
        match orphans::adopt() {
            Ok(()) => drop(runtime.spawn(orphans::tend())),
            Err(error) => tracing::debug!(%error, "orphans cannot be adopted"),
        }
        Self(())
    }

    /// Ends whatever attempts have left. To be called last, when the runtime is shut down. All of it is killed at once; until it
    /// is gone, at most `limit` passes.
    pub fn end(self, limit: Duration) {
        orphans::end_all(limit);
    }
}
