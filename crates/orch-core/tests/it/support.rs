//! Workers for tests.

use std::sync::Arc;

use async_trait::async_trait;
use orch_core::{
    Standing, Subtask, Worker, WorkerCapability, WorkerContext, WorkerError, WorkerName,
    WorkerResult,
};

/// A worker with capabilities; all else is the trait's default.
pub(crate) struct Actor {
    name: WorkerName,
    capabilities: Vec<WorkerCapability>,
}

impl Actor {
    /// Makes a worker with one capability, named `NAME-skill`.
    pub(crate) fn new(name: &str, task_types: &[&str]) -> Self {
        Self::with(
            name,
            vec![WorkerCapability::new(format!("{name}-skill"), task_types.iter().copied())],
        )
    }

    pub(crate) fn with(name: &str, capabilities: Vec<WorkerCapability>) -> Self {
        Self { name: name.into(), capabilities }
    }
}

#[async_trait]
impl Worker for Actor {
    fn name(&self) -> &WorkerName {
        &self.name
    }

    fn capabilities(&self) -> &[WorkerCapability] {
        &self.capabilities
    }

    async fn execute(&self, context: WorkerContext) -> Result<WorkerResult, WorkerError> {
        Ok(WorkerResult::success(context.subtask.id.clone(), self.name.clone(), "done".into()))
    }
}

/// A worker that answers `can_handle` itself: yes to subtasks whose description has its name in it.
pub(crate) struct Reader(pub(crate) WorkerName);

#[async_trait]
impl Worker for Reader {
    fn name(&self) -> &WorkerName {
        &self.0
    }

    fn capabilities(&self) -> &[WorkerCapability] {
        &[]
    }

    fn can_handle(&self, subtask: &Subtask, _standing: &Standing) -> f64 {
        if subtask.description.contains(self.0.as_str()) { 1.0 } else { 0.0 }
    }

    async fn execute(&self, context: WorkerContext) -> Result<WorkerResult, WorkerError> {
        Ok(WorkerResult::success(context.subtask.id.clone(), self.0.clone(), "read".into()))
    }
}

/// A worker that gives itself this score, whatever the subtask.
pub(crate) struct Sayer(pub(crate) f64, pub(crate) WorkerName);

impl Sayer {
    pub(crate) fn new(score: f64) -> Self {
        Self(score, "sayer".into())
    }
}

#[async_trait]
impl Worker for Sayer {
    fn name(&self) -> &WorkerName {
        &self.1
    }

    fn capabilities(&self) -> &[WorkerCapability] {
        &[]
    }

    fn can_handle(&self, _subtask: &Subtask, _standing: &Standing) -> f64 {
        self.0
    }

    async fn execute(&self, _context: WorkerContext) -> Result<WorkerResult, WorkerError> {
        Err(WorkerError::new(orch_core::Cause::Reported, "I only talk"))
    }
}

/// Returns one worker per `name: type type`.
pub(crate) fn team(workers: &[(&str, &[&str])]) -> Vec<Arc<dyn Worker>> {
    workers
        .iter()
        .map(|(name, types)| Arc::new(Actor::new(name, types)) as Arc<dyn Worker>)
        .collect()
}
