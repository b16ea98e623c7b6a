//! Telling ALMA of runs that were learned from.
//!
//! ```text
//! fold --one transaction--> sums, watermark, mark --> ALMA's file --> mark gone
//! ```
//! **Invariant:** what is learned waits for nobody: while ALMA does not take a run its mark stays, and the next fold, in any
//! process, tells it then. That a run is told again, when its mark could not be taken away, changes nothing in ALMA's file.

use orch_core::{ProjectId, RunId, Seq};

use crate::learned::Evidence;
use crate::{Alma, LearnedMemory, MemoryError};

impl LearnedMemory {
    /// Tells whether ALMA is to be told of the run, once it is learned from.
    pub(crate) fn is_to_be_told(&self, evidence: &Evidence) -> bool {
        evidence.ended.is_some()
            && self.told().is_some_and(|(project, _)| evidence.project == *project)
    }

    /// Tells ALMA of the runs that it was not told of yet. What cannot be told now can be later.
    pub(crate) async fn tell_alma(&self) {
        let Some((project, alma)) = self.told() else { return };
        if let Err(error) = self.tell_all(project, alma).await {
            tracing::warn!(%error, source = ?std::error::Error::source(&error), "ALMA is told of runs later");
        }
    }

    fn told(&self) -> Option<(&ProjectId, &Alma)> {
        self.alma
            .as_ref()
            .filter(|(_, alma)| alma.is_written())
            .map(|(project, alma)| (project, alma))
    }

    async fn tell_all(&self, project: &ProjectId, alma: &Alma) -> Result<(), MemoryError> {
        for run in self.store.untold(project).await? {
            self.tell(project, alma, run).await?;
        }
        Ok(())
    }

    async fn tell(&self, project: &ProjectId, alma: &Alma, run: RunId) -> Result<(), MemoryError> {
        let events = self.journal.load(run, Seq(0)).await;
        let events = events.map_err(|source| MemoryError::Journal { run, source })?;
        alma.tell(run, &events, &self.scopes).await?;
        self.store.told(project, run).await
    }
}
