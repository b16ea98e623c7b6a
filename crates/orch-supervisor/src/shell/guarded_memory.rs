//! Memory at arm's length: what it does, and what it does not do, ends nothing, holds nothing up and is blamed on nobody else.
//!
//! ```text
//! engine, attempt --question--> a thread for code that may block --answer, panic, error--> engine, attempt
//!                 `--limit over: goes on without; the question is dropped--'
//! ```

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use orch_core::{
    BoxError, ComplexTask, Memory, MemorySlice, MemorySnapshot, OrchestrationOutcome, ProjectId,
    RunId, Subtask, WorkerName,
};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

/// How long a run waits for what memory knows before it is planned without: an embedder gets 5 s for its answer, the store as long again.
const SNAPSHOT_LIMIT: Duration = Duration::from_secs(10);
/// How long a subtask waits for what may help its worker: a person who watches does not yet take it for stuck.
pub(crate) const SLICE_LIMIT: Duration = Duration::from_secs(5);
/// How long memory may take to learn from a run. Nobody waits for it but a shutdown, which has a limit of its own; a long run on a slow
/// store takes seconds. What is not learned in time is learned by the next process.
const OUTCOME_LIMIT: Duration = Duration::from_secs(60);
/// The most questions at once. A memory that blocks costs so many threads and no more; what is asked then waits within its limit.
const MAX_QUESTIONS: usize = 16;
/// The most runs that are learned from at once. They have room of their own: a memory that learns slowly keeps no run from being planned.
const MAX_OUTCOMES: usize = 4;

/// Why memory has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("it panicked")]
    Panicked,
    #[error("it did not answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    #[error(transparent)]
    Failed(BoxError),
    #[error("the runtime is shutting down")]
    ShuttingDown,
}

/// A memory that is asked on threads of its own, each time with a limit.
#[derive(Clone)]
pub(crate) struct GuardedMemory {
    memory: Arc<dyn Memory>,
    questions: Arc<Semaphore>,
    outcomes: Arc<Semaphore>,
}

impl GuardedMemory {
    pub(crate) fn new(memory: Arc<dyn Memory>) -> Self {
        Self {
            memory,
            questions: Arc::new(Semaphore::new(MAX_QUESTIONS)),
            outcomes: Arc::new(Semaphore::new(MAX_OUTCOMES)),
        }
    }

    /// Returns what memory knows of a task; nothing when it has no answer, which is logged.
    pub(super) async fn snapshot(
        &self,
        run: RunId,
        project: ProjectId,
        task: Arc<ComplexTask>,
    ) -> MemorySnapshot {
        let question =
            move |memory: Arc<dyn Memory>| async move { memory.snapshot(&project, &task).await };
        self.ask(&self.questions, SNAPSHOT_LIMIT, question).await.unwrap_or_else(|error| {
            tracing::warn!(%run, %error, "memory cannot be read; the run goes on without");
            MemorySnapshot::default()
        })
    }

    /// Returns what may help a worker with a subtask, in at most `tokens`.
    pub(super) async fn slice(
        &self,
        limit: Duration,
        project: ProjectId,
        worker: WorkerName,
        subtask: Arc<Subtask>,
        tokens: u32,
    ) -> Result<MemorySlice, NoAnswer> {
        let question = move |memory: Arc<dyn Memory>| async move {
            memory.slice(&project, &worker, &subtask, tokens).await
        };
        self.ask(&self.questions, limit, question).await
    }

    /// Tells memory how a run went.
    pub(super) async fn record_outcome(
        &self,
        outcome: OrchestrationOutcome,
    ) -> Result<(), NoAnswer> {
        let question =
            move |memory: Arc<dyn Memory>| async move { memory.record_outcome(&outcome).await };
        self.ask(&self.outcomes, OUTCOME_LIMIT, question).await
    }

    /// Tells memory what a person thinks of a run. The person waits for it, and nobody else does.
    pub(crate) async fn feedback(
        &self,
        run: RunId,
        score: f64,
        note: &str,
    ) -> Result<(), BoxError> {
        self.memory.feedback(run, score, note).await
    }

    /// Asks on a thread that may be blocked. After `limit` the question is dropped, unless it blocks its thread: then it keeps that,
    /// and its room among the questions, until it returns.
    async fn ask<T, F>(
        &self,
        room: &Arc<Semaphore>,
        limit: Duration,
        question: impl FnOnce(Arc<dyn Memory>) -> F + Send + 'static,
    ) -> Result<T, NoAnswer>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, BoxError>>,
    {
        let (memory, room) = (self.memory.clone(), room.clone());
        let answer = async move {
            let Ok(permit) = room.acquire_owned().await else { return Err(NoAnswer::ShuttingDown) };
            let (mut send, receive) = oneshot::channel();
            let runtime = Handle::current();
            tokio::task::spawn_blocking(move || {
                let _permit = permit;
                let asked = || {
                    runtime.block_on(async {
                        tokio::select! {
                            answer = question(memory) => Some(answer.map_err(NoAnswer::Failed)),
                            () = send.closed() => None,
                        }
                    })
                };
                let answer = catch_unwind(AssertUnwindSafe(asked));
                // When nobody waits any more, nobody misses the answer.
                if let Some(answer) = answer.unwrap_or(Some(Err(NoAnswer::Panicked))) {
                    let _ = send.send(answer);
                }
            });
            receive.await.unwrap_or(Err(NoAnswer::ShuttingDown))
        };
        tokio::time::timeout(limit, answer).await.unwrap_or(Err(NoAnswer::TimedOut(limit)))
    }
}
