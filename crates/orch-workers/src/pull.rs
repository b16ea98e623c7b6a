//! Workers that fetch their work themselves.

use std::num::NonZeroU32;

use async_trait::async_trait;
use orch_core::{
    Cause, MemoryScope, Worker, WorkerCapability, WorkerContext, WorkerError, WorkerKind,
    WorkerName, WorkerResult,
};

/// An agent outside, known by name: it claims subtasks and reports on them, and the engine only offers.
#[derive(Debug, Clone)]
pub struct PullWorker {
    name: WorkerName,
    capabilities: Vec<WorkerCapability>,
    slots: NonZeroU32,
    memory_tokens: u32,
    scope: Option<MemoryScope>,
}

impl PullWorker {
    /// Makes a pull worker that holds one subtask at a time.
    pub fn new(name: impl Into<WorkerName>, capabilities: Vec<WorkerCapability>) -> Self {
        let (name, slots) = (name.into(), NonZeroU32::MIN);
        Self { name, capabilities, slots, memory_tokens: 0, scope: None }
    }

    /// Sets how many subtasks it may hold at once.
    #[must_use]
    pub fn with_slots(mut self, slots: NonZeroU32) -> Self {
        self.slots = slots;
        self
    }

    /// Sets how many tokens of memory come with its work; 0 unless set.
    #[must_use]
    pub fn with_memory_tokens(mut self, tokens: u32) -> Self {
        self.memory_tokens = tokens;
        self
    }

    /// Sets what it may learn and read, and whose work it takes.
    #[must_use]
    pub fn with_scope(mut self, scope: Option<MemoryScope>) -> Self {
        self.scope = scope;
        self
    }
}

#[async_trait]
impl Worker for PullWorker {
    fn name(&self) -> &WorkerName {
        &self.name
    }

    fn capabilities(&self) -> &[WorkerCapability] {
        &self.capabilities
    }

    fn scope(&self) -> Option<&MemoryScope> {
        self.scope.as_ref()
    }

    fn memory_tokens(&self) -> u32 {
        self.memory_tokens
    }

    fn kind(&self) -> WorkerKind {
        WorkerKind::Pull
    }

    fn max_concurrency(&self) -> NonZeroU32 {
        self.slots
    }

    /// Always fails: the engine never calls a pull worker, so somebody else did.
    async fn execute(&self, _context: WorkerContext) -> Result<WorkerResult, WorkerError> {
        let message = format!(
            "worker `{}` claims its work itself and is never called by the engine",
            self.name
        );
        Err(WorkerError::new(Cause::Unavailable, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pull_worker_is_what_it_was_told_to_be() {
        let capability = WorkerCapability::new("review", ["review"]);
        let worker = PullWorker::new("ann", vec![capability.clone()]);
        assert_eq!(worker.max_concurrency(), NonZeroU32::MIN);

        let worker = worker.with_slots(NonZeroU32::new(3).unwrap());
        assert_eq!(worker.name(), &"ann");
        assert_eq!(worker.capabilities(), [capability]);
        assert_eq!(worker.kind(), WorkerKind::Pull);
        assert_eq!(worker.max_concurrency().get(), 3);
    }
    #[tokio::test]
    async fn a_pull_worker_is_never_called() {
        let subtask = orch_core::Subtask::new("a", "Do it", "review");
        let run = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let (fence, token) = (orch_core::Fence(1), orch_core::Token(1));
        let attempt = orch_core::AttemptInfo::new(run, fence, token, &subtask.id, 1_000);
        let worker = PullWorker::new("ann", Vec::new());
        let error = worker.execute(WorkerContext::new(subtask, attempt)).await.unwrap_err();
        assert_eq!(error.cause, Cause::Unavailable);
        assert_eq!(
            error.message,
            "worker `ann` claims its work itself and is never called by the engine"
        );
    }
}
