//! A worker that says how well it fits, and is never called.

use std::sync::Arc;

use async_trait::async_trait;
use orch_core::{
    Standing, Subtask, Worker, WorkerCapability, WorkerContext, WorkerError, WorkerName,
    WorkerResult,
};

struct Fixed {
    name: WorkerName,
    capabilities: Vec<WorkerCapability>,
    fit: f64,
}

/// Makes a worker whose `can_handle` is `fit` times its history and its free capacity, and whose one capability has its own name.
pub(crate) fn worker(name: &str, fit: f64) -> Arc<dyn Worker> {
    let capabilities = vec![WorkerCapability::new(name, ["*"])];
    Arc::new(Fixed { name: name.into(), capabilities, fit })
}

#[async_trait]
impl Worker for Fixed {
    fn name(&self) -> &WorkerName {
        &self.name
    }

    fn capabilities(&self) -> &[WorkerCapability] {
        &self.capabilities
    }

    fn can_handle(&self, _subtask: &Subtask, standing: &Standing) -> f64 {
        self.fit * standing.success * (1.0 - standing.load)
    }

    async fn execute(&self, _context: WorkerContext) -> Result<WorkerResult, WorkerError> {
        unreachable!("a failure handler calls no worker")
    }
}
