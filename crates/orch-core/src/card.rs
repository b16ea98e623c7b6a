//! Worker cards: what a worker is, as far as it says, under a digest.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;

use crate::{Digest, Worker, WorkerCapability, WorkerKind, WorkerName};

/// What a worker is, as far as it says. Two workers with equal cards are the same worker to those who learn from runs; with
/// another prompt, model or program it is another one.
///
/// ```
/// use orch_core::{Digest, WorkerCard};
/// # use orch_core::{Worker, WorkerCapability, WorkerContext, WorkerError, WorkerName, WorkerResult};
/// # struct Writer { name: WorkerName, prompt: &'static str }
/// # #[async_trait::async_trait]
/// # impl Worker for Writer {
/// #     fn name(&self) -> &WorkerName { &self.name }
/// #     fn capabilities(&self) -> &[WorkerCapability] { &[] }
/// #     fn content(&self) -> Option<Digest> { Some(Digest::of_bytes(self.prompt.as_bytes())) }
/// #     async fn execute(&self, _: WorkerContext) -> Result<WorkerResult, WorkerError> { unreachable!() }
/// # }
/// let writer = |prompt| Writer { name: "writer".into(), prompt };
/// let card = |prompt| WorkerCard::from_worker(&writer(prompt)).digest();
/// assert_eq!(card("Be brief."), card("Be brief."));
/// assert_ne!(card("Be brief."), card("Be thorough."));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WorkerCard {
    /// The worker's name.
    pub name: WorkerName,
    /// How it gets its work.
    pub kind: WorkerKind,
    /// What it can do.
    pub capabilities: Vec<WorkerCapability>,
    /// The digest of what makes it do that; see [`Worker::content`].
    pub content: Option<Digest>,
}

impl WorkerCard {
    /// Reads the card of a worker.
    pub fn from_worker(worker: &dyn Worker) -> Self {
        Self {
            name: worker.name().clone(),
            kind: worker.kind(),
            capabilities: worker.capabilities().to_vec(),
            // Of a worker that panics here as little is known as of one that does not say.
            content: catch_unwind(AssertUnwindSafe(|| worker.content())).unwrap_or_default(),
        }
    }

    /// Returns the digest of the card.
    pub fn digest(&self) -> Digest {
        Digest::of_json(self).expect("a card has no maps, so that no key of one can be no string")
    }
}
