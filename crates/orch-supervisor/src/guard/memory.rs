//! Memory, guarded: what it does, and what it does not do, is blamed on nobody else.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use orch_core::{
    BoxError, ComplexTask, Memory, MemorySlice, MemorySnapshot, OrchestrationOutcome, ProjectId,
    RunId, Subtask, WorkerName,
};

use super::{Guard, NoAnswer};

/// How long a run waits for what memory knows before it is planned without: an embedder gets 5 s for its answer, the store as long again.
const SNAPSHOT_LIMIT: Duration = Duration::from_secs(10);
/// How long a subtask waits for what may help its worker: a person who watches does not yet take it for stuck.
pub(crate) const SLICE_LIMIT: Duration = Duration::from_secs(5);
/// How long memory may take to learn from a run. Nobody waits for it but a shutdown, which has a limit of its own; a long run on a slow
/// store takes seconds. What is not learned in time is learned by the next process.
const OUTCOME_LIMIT: Duration = Duration::from_secs(60);

/// Why memory did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MemoryFailure {
    #[error("memory {0}")]
    NoAnswer(NoAnswer),
    #[error(transparent)]
    Failed(BoxError),
}

/// A memory that is asked on threads, each time with a limit.
#[derive(Clone)]
pub(crate) struct GuardedMemory {
    memory: Arc<dyn Memory>,
    /// Of questions before and in runs.
    questions: Guard,
    /// Of what memory is told. A memory that learns slowly, or never, keeps no run from being planned.
    outcomes: Guard,
}

impl GuardedMemory {
    pub(crate) fn new(memory: Arc<dyn Memory>) -> Self {
        let (questions, outcomes) = (Guard::new("memory"), Guard::new("memory that learns"));
        Self { memory, questions, outcomes }
    }

    /// Returns what memory knows of a task; nothing when it has no answer, which is logged.
    pub(crate) async fn snapshot(
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
    pub(crate) async fn slice(
        &self,
        limit: Duration,
        project: ProjectId,
        worker: WorkerName,
        subtask: Arc<Subtask>,
        tokens: u32,
    ) -> Result<MemorySlice, MemoryFailure> {
        let question = move |memory: Arc<dyn Memory>| async move {
            memory.slice(&project, &worker, &subtask, tokens).await
        };
        self.ask(&self.questions, limit, question).await
    }

    /// Tells memory how a run went.
    pub(crate) async fn record_outcome(
        &self,
        outcome: OrchestrationOutcome,
    ) -> Result<(), MemoryFailure> {
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
    ) -> Result<(), MemoryFailure> {
        let note = note.to_owned();
        let question =
            move |memory: Arc<dyn Memory>| async move { memory.feedback(run, score, &note).await };
        self.ask(&self.outcomes, OUTCOME_LIMIT, question).await
    }

    /// Asks within `limit`, the wait for a free thread included.
    async fn ask<T, F>(
        &self,
        guard: &Guard,
        limit: Duration,
        question: impl FnOnce(Arc<dyn Memory>) -> F + Send + 'static,
    ) -> Result<T, MemoryFailure>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, BoxError>> + Send + 'static,
    {
        let memory = self.memory.clone();
        let answer = guard.ask(limit, move || question(memory));
        match tokio::time::timeout(limit, answer).await {
            Ok(Ok(answer)) => answer.map_err(MemoryFailure::Failed),
            Ok(Err(why)) => Err(MemoryFailure::NoAnswer(why)),
            Err(_) => Err(MemoryFailure::NoAnswer(NoAnswer::TimedOut(limit))),
        }
    }
}
