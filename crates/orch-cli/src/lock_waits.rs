//! What is told of subtasks that wait for locks of other runs.

use std::collections::BTreeSet;
use std::time::Duration;

use orch_core::{RunId, RunStatus};
use orch_supervisor::Supervisor;
use tokio::time::{Instant, sleep_until};

use crate::text;

/// The pause before a run is asked what it waits for, as no event tells it. It doubles as long as there is nothing to tell.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Finds out what a run waits for, and says each thing once.
pub(crate) struct LockWaits {
    next_look: Instant,
    pause: Duration,
    told: BTreeSet<String>,
}

impl LockWaits {
    pub(crate) fn new() -> Self {
        Self { next_look: now() + FIRST_PAUSE, pause: FIRST_PAUSE, told: BTreeSet::new() }
    }

    /// Waits until it is time to look, and returns what was not said before, a line each. May be dropped at any time.
    pub(crate) async fn news(&mut self, supervisor: &Supervisor, run: RunId) -> Vec<String> {
        sleep_until(self.next_look).await;
        self.next_look = now() + self.pause;
        // When it cannot be read, others say so.
        let Ok(status) = supervisor.status(run).await else { return Vec::new() };
        let waits = lines(&status);
        self.pause = if waits.is_empty() { LONGEST_PAUSE.min(self.pause * 2) } else { FIRST_PAUSE };
        let news = waits.difference(&self.told).cloned().collect();
        // A wait that is over and begins again is told again.
        self.told = waits;
        news
    }
}

#[expect(clippy::disallowed_methods, reason = "a pause before a look, no time of a run")]
fn now() -> Instant {
    Instant::now()
}

fn lines(status: &RunStatus) -> BTreeSet<String> {
    let waits = status.subtasks.iter().filter_map(|subtask| {
        let wait = subtask.waits_for.as_ref()?;
        Some(format!(". {} {}", text::shown(&subtask.subtask_id), text::shown(wait)))
    });
    waits.collect()
}
