//! The memory that a worker has in its hands during an attempt.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use orch_core::{
    BoxError, LessonError, MemoryScope, MemorySlice, ProjectId, Subtask, Worker, WorkerMemory,
    WorkerName, WorkerResult, check_lesson,
};
use serde_json::Value;

use crate::guard::{GuardedMemory, SLICE_LIMIT};

/// Asks memory what may help a worker that wants to know with a subtask; without an answer within `limit` it is done without.
pub(crate) async fn recall(
    memory: &GuardedMemory,
    limit: Duration,
    project: &ProjectId,
    worker: &dyn Worker,
    subtask: &Arc<Subtask>,
) -> Option<MemorySlice> {
    let tokens = worker.memory_tokens();
    if tokens == 0 {
        return None;
    }
    let (project, name) = (project.clone(), worker.name().clone());
    match memory.slice(limit, project, name, subtask.clone(), tokens).await {
        Ok(slice) => Some(slice),
        Err(error) => {
            tracing::warn!(%error, subtask = %subtask.id, "memory cannot be asked about a subtask; its worker starts without");
            None
        }
    }
}

/// Memory, bound to a worker, its scope and the subtask of an attempt. What the worker learns waits here until its result takes it
/// along: so it is in the journal, and memory takes it from there as everything else, once.
pub(super) struct BoundMemory {
    memory: GuardedMemory,
    project: ProjectId,
    worker: WorkerName,
    scope: MemoryScope,
    subtask: Arc<Subtask>,
    learned: Mutex<Vec<String>>,
}

impl BoundMemory {
    pub(super) fn new(
        memory: GuardedMemory,
        project: ProjectId,
        worker: &dyn Worker,
        subtask: Arc<Subtask>,
    ) -> Self {
        let name = worker.name().clone();
        let scope = worker.scope().cloned().unwrap_or_else(|| MemoryScope::new(name.as_str()));
        Self { memory, project, worker: name, scope, subtask, learned: Mutex::default() }
    }

    /// Puts what was learned into the metadata of the result, after what the worker has put there itself.
    pub(super) fn add_to(&self, result: &mut WorkerResult) {
        let learned = std::mem::take(&mut *self.learned());
        if learned.is_empty() {
            return;
        }
        // What is there and is no list of lessons is said so when the result is learned from.
        let lessons = result.metadata.entry("lessons").or_insert_with(|| Value::Array(Vec::new()));
        if let Some(lessons) = lessons.as_array_mut() {
            lessons.extend(learned.into_iter().map(Value::String));
        }
    }

    fn learned(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl WorkerMemory for BoundMemory {
    async fn retrieve(&self, query: &str, max_tokens: u32) -> Result<MemorySlice, BoxError> {
        let mut like = (*self.subtask).clone();
        query.clone_into(&mut like.description);
        let (project, worker) = (self.project.clone(), self.worker.clone());
        Ok(self.memory.slice(SLICE_LIMIT, project, worker, Arc::new(like), max_tokens).await?)
    }

    fn learn(&self, lesson: &str) -> Result<(), LessonError> {
        let mut learned = self.learned();
        check_lesson(lesson, &self.scope, &self.subtask.task_type, learned.len())?;
        learned.push(lesson.to_owned());
        Ok(())
    }
}
