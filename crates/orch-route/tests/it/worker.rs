//! Workers that are asked how well they fit, and never called.

use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;
use orch_core::{
    Standing, Subtask, Worker, WorkerCapability, WorkerContext, WorkerError, WorkerName,
    WorkerResult,
};

/// A worker whose slots and, if it has one, answer to `can_handle` are given.
#[derive(Debug, Clone)]
pub(crate) struct Fake {
    name: WorkerName,
    capabilities: Vec<WorkerCapability>,
    slots: NonZeroU32,
    answer: Option<f64>,
}

impl Fake {
    /// Makes a worker with one slot that handles `types` (separated by blanks).
    pub(crate) fn new(name: &str, types: &str, proficiency: f64) -> Self {
        let capability =
            WorkerCapability::new(types, types.split(' ')).with_proficiency(proficiency);
        Self {
            name: name.into(),
            capabilities: vec![capability],
            slots: NonZeroU32::MIN,
            answer: None,
        }
    }

    pub(crate) fn slots(mut self, slots: u32) -> Self {
        self.slots = NonZeroU32::new(slots).expect("a worker has a slot");
        self
    }

    /// Makes `can_handle` return `answer`, whatever it is.
    pub(crate) fn answering(mut self, answer: f64) -> Self {
        self.answer = Some(answer);
        self
    }
}

/// Makes workers of fakes.
pub(crate) fn pool(fakes: impl IntoIterator<Item = Fake>) -> Vec<Arc<dyn Worker>> {
    fakes.into_iter().map(|fake| Arc::new(fake) as Arc<dyn Worker>).collect()
}

#[async_trait]
impl Worker for Fake {
    fn name(&self) -> &WorkerName {
        &self.name
    }

    fn capabilities(&self) -> &[WorkerCapability] {
        &self.capabilities
    }

    fn can_handle(&self, subtask: &Subtask, standing: &Standing) -> f64 {
        let able = self.capabilities.iter().find(|c| c.covers(&subtask.task_type));
        let usual = able.map_or(0.0, |c| c.proficiency) * standing.success * (1.0 - standing.load);
        self.answer.unwrap_or(usual)
    }

    fn max_concurrency(&self) -> NonZeroU32 {
        self.slots
    }

    async fn execute(&self, _context: WorkerContext) -> Result<WorkerResult, WorkerError> {
        unreachable!("a router calls no worker")
    }
}
