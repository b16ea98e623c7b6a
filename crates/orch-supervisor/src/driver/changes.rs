//! What the events of a turn change beside the run's own state: locks of the project, and attempts that run.

use std::collections::BTreeSet;

use orch_core::journal::Recorded;
use orch_core::{About, AttemptChange, Event, Fence, LockName};

use crate::machine::State;

/// The locks that the journal must take and free for the events: what attempts held that ended, and what those hold that
/// started. A lock that went from one attempt to another is in both.
pub(super) fn lock_changes(state: &State, events: &[Recorded]) -> (Vec<LockName>, Vec<LockName>) {
    let mut take: BTreeSet<LockName> = BTreeSet::new();
    let mut free: BTreeSet<LockName> = BTreeSet::new();
    for recorded in events {
        let About::Attempt { subtask, change, .. } = recorded.event.about() else { continue };
        let locks = || state.node(subtask).spec.locks.iter().cloned();
        match change {
            AttemptChange::Started => take.extend(locks()),
            AttemptChange::Received
            | AttemptChange::Failed
            | AttemptChange::Lost
            | AttemptChange::Closed => free.extend(locks()),
            AttemptChange::Offered | AttemptChange::Accepted => {}
        }
    }
    let is_held = |lock: &LockName| state.locks().contains_key(lock);
    // Still held though an attempt with it ended: another attempt of this turn has it, or another subtask's lapsed claim.
    free.retain(|lock| !is_held(lock) || take.contains(lock));
    take.retain(|lock| is_held(lock));
    (take.into_iter().collect(), free.into_iter().collect())
}

/// The attempts that the events are about, and whether they concern all of them.
pub(super) fn concerned(events: &[Recorded]) -> (BTreeSet<Fence>, bool) {
    let mut fences = BTreeSet::new();
    let mut all = false;
    for recorded in events {
        match recorded.event.about() {
            About::Attempt {
                fence,
                change:
                    AttemptChange::Started
                    | AttemptChange::Received
                    | AttemptChange::Failed
                    | AttemptChange::Lost
                    | AttemptChange::Closed,
                ..
            } => {
                fences.insert(fence);
            }
            About::Run => {
                all |= matches!(
                    recorded.event,
                    Event::RunSuspended { .. }
                        | Event::RunResumed { .. }
                        | Event::CancelRequested { .. }
                        | Event::RunEnded { .. }
                );
            }
            About::Attempt { change: AttemptChange::Offered | AttemptChange::Accepted, .. }
            | About::Subtask(_)
            | About::Fence(_) => {}
        }
    }
    (fences, all)
}
