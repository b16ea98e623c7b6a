//! The views of runs that the tools need beside a status: what prompts are made of, and the secrets of open attempts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use orch_core::journal::{Journal, JournalError};
use orch_core::{RunId, RunView};

/// The most runs whose view is kept.
const KEPT: usize = 64;

/// The views of the runs that were asked for last.
#[derive(Debug, Default)]
pub(crate) struct Views {
    kept: Mutex<BTreeMap<RunId, Arc<RunView>>>,
}

impl Views {
    /// Returns a run as it was when it was asked for last, if that is still known.
    pub(crate) fn kept(&self, run: RunId) -> Option<Arc<RunView>> {
        self.lock().get(&run).cloned()
    }

    /// Returns a run as it is now; one without events does not exist.
    pub(crate) async fn load(
        &self,
        journal: &dyn Journal,
        run: RunId,
    ) -> Result<Option<Arc<RunView>>, JournalError> {
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

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<RunId, Arc<RunView>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
