//! Closures as workers.

use std::future::Future;
use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;
use orch_core::{
    MemoryScope, Worker, WorkerCapability, WorkerContext, WorkerError, WorkerName, WorkerResult,
};
use serde_json::Value;

/// Makes a worker of an async closure that returns the output, or an error that says why the attempt failed.
///
/// ```
/// use orch_core::{Worker, WorkerCapability};
/// use orch_supervisor::worker_fn;
///
/// let worker = worker_fn("upper", [WorkerCapability::new("upper", ["text"])], |ctx| async move {
///     Ok(ctx.subtask.description.to_uppercase().into())
/// });
/// assert_eq!(worker.name().as_str(), "upper");
/// ```
pub fn worker_fn<F, Fut>(
    name: impl Into<WorkerName>,
    capabilities: impl IntoIterator<Item = WorkerCapability>,
    work: F,
) -> FnWorker<F>
where
    F: Fn(WorkerContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, WorkerError>> + Send + 'static,
{
    FnWorker {
        name: name.into(),
        capabilities: capabilities.into_iter().collect(),
        slots: None,
        scope: None,
        memory_tokens: 0,
        work,
    }
}

/// A worker made of a closure; see [`worker_fn`].
pub struct FnWorker<F> {
    name: WorkerName,
    capabilities: Vec<WorkerCapability>,
    slots: Option<NonZeroU32>,
    scope: Option<MemoryScope>,
    memory_tokens: u32,
    work: F,
}

impl<F> FnWorker<F> {
    /// Sets how many attempts it can make at once.
    #[must_use]
    pub fn with_max_concurrency(mut self, slots: NonZeroU32) -> Self {
        self.slots = Some(slots);
        self
    }

    /// Sets what it may learn and read, and whose work it takes.
    #[must_use]
    pub fn with_scope(mut self, scope: MemoryScope) -> Self {
        self.scope = Some(scope);
        self
    }

    /// Sets how many tokens of memory it gets with every attempt; none unless set.
    #[must_use]
    pub fn with_memory_tokens(mut self, tokens: u32) -> Self {
        self.memory_tokens = tokens;
        self
    }
}

#[async_trait]
impl<F, Fut> Worker for FnWorker<F>
where
    F: Fn(WorkerContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, WorkerError>> + Send + 'static,
{
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

    fn max_concurrency(&self) -> NonZeroU32 {
        const DEFAULT: NonZeroU32 = NonZeroU32::new(8).unwrap();
        self.slots.unwrap_or(DEFAULT)
    }

    async fn execute(&self, context: WorkerContext) -> Result<WorkerResult, WorkerError> {
        let subtask = Arc::clone(&context.subtask);
        let output = (self.work)(context).await?;
        Ok(WorkerResult::success(subtask.id.clone(), self.name.clone(), output))
    }
}
