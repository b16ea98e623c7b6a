//! A run as the tools need it beside its status: what prompts are made of, and the secrets of open attempts. A fold over the
//! run's events, kept between calls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use orch_core::journal::{Journal, JournalError, Recorded};
use orch_core::{
    ComplexTask, Event, Fence, RunId, RunSettings, Seq, StoredResult, Subtask, SubtaskIndex, Token,
    WorkerName,
};

/// The most runs whose view is kept.
const KEPT: usize = 64;

/// A run, folded.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    seq: Seq,
    pub(crate) task: Option<Arc<ComplexTask>>,
    pub(crate) settings: Option<Arc<RunSettings>>,
    /// By index, in plan order.
    pub(crate) nodes: Vec<Node>,
}

/// A subtask.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) spec: Arc<Subtask>,
    /// Attempts that can be reported on.
    pub(crate) open: BTreeMap<Fence, Open>,
    /// Results that came, accepted or not.
    received: BTreeMap<Fence, Arc<StoredResult>>,
    /// The accepted one.
    pub(crate) accepted: Option<Arc<StoredResult>>,
    /// Who had its last attempt.
    pub(crate) worker: Option<WorkerName>,
}

/// An open attempt.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    pub(crate) token: Token,
    pub(crate) worker: WorkerName,
}

impl View {
    /// Returns the subtask with an id, and its index.
    pub(crate) fn find(&self, id: &str) -> Option<(usize, &Node)> {
        self.nodes.iter().enumerate().find(|(_, node)| node.spec.id == *id)
    }

    fn apply(&mut self, recorded: &Recorded) {
        self.seq = recorded.seq;
        match &recorded.event {
            Event::RunSubmitted { task, settings, .. } => {
                self.task = Some(task.clone());
                self.settings = Some(settings.clone());
            }
            Event::PlanAdopted { add, .. } => {
                self.nodes.extend(add.subtasks.iter().map(|spec| Node {
                    spec: spec.clone(),
                    open: BTreeMap::new(),
                    received: BTreeMap::new(),
                    accepted: None,
                    worker: None,
                }));
            }
            Event::AttemptOffered { subtask, fence, token, worker, .. }
            | Event::AttemptStarted { subtask, fence, token, worker, .. } => {
                let open = Open { token: *token, worker: worker.clone() };
                self.with(*subtask, |node| {
                    node.open.insert(*fence, open);
                    node.worker = Some(worker.clone());
                });
            }
            Event::ResultReceived { subtask, fence, result, .. } => {
                self.with(*subtask, |node| {
                    node.open.remove(fence);
                    node.received.insert(*fence, result.clone())
                });
            }
            Event::SubtaskCompleted { subtask, fence } => {
                self.with(*subtask, |node| {
                    node.accepted = node.received.remove(fence);
                    node.open.clear();
                });
            }
            Event::AttemptFailed { subtask, fence, .. }
            | Event::AttemptLost { subtask, fence, .. }
            | Event::AttemptClosed { subtask, fence, .. } => {
                self.with(*subtask, |node| node.open.remove(fence));
            }
            Event::LeaseExtended { .. }
            | Event::RetryScheduled { .. }
            | Event::SubtaskFailed { .. }
            | Event::SubtaskSkipped { .. }
            | Event::InterventionMade { .. }
            | Event::InterventionJudged { .. }
            | Event::ConcurrencyLimitChanged { .. }
            | Event::UsageNoted { .. }
            | Event::RunSuspended { .. }
            | Event::RunResumed { .. }
            | Event::CancelRequested { .. }
            | Event::RunEnded { .. } => {}
        }
    }

    fn with<T>(&mut self, index: SubtaskIndex, change: impl FnOnce(&mut Node) -> T) {
        if let Some(node) = self.nodes.get_mut(index.get()) {
            change(node);
        }
    }
}

/// The views of the runs that were asked for last.
#[derive(Debug, Default)]
pub(crate) struct Views {
    kept: Mutex<BTreeMap<RunId, Arc<View>>>,
}

impl Views {
    /// Returns a run as it was when it was asked for last, if that is still known.
    pub(crate) fn kept(&self, run: RunId) -> Option<Arc<View>> {
        self.lock().get(&run).cloned()
    }

    /// Returns a run as it is now; one without events does not exist.
    pub(crate) async fn load(
        &self,
        journal: &dyn Journal,
        run: RunId,
    ) -> Result<Option<Arc<View>>, JournalError> {
        let mut view = self.lock().remove(&run).unwrap_or_default();
        let events = journal.load(run, view.seq).await?;
        if !events.is_empty() {
            let state = Arc::make_mut(&mut view);
            events.iter().for_each(|recorded| state.apply(recorded));
        }
        if view.task.is_none() {
            return Ok(None);
        }
        let mut kept = self.lock();
        kept.insert(run, view.clone());
        if kept.len() > KEPT {
            // Ids sort by time: the oldest run goes.
            kept.pop_first();
        }
        Ok(Some(view))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<RunId, Arc<View>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
