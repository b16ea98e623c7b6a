//! When a process that was asked to end must be gone: one deadline for all steps of its end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How much longer than its grace time the end of a process takes at most; a little less than the 2 s that it promises.
const AFTER_GRACE: Duration = Duration::from_millis(1_900);

/// The deadline for the end of a process. Nothing has begun to end until [`begin`](Self::begin) is called. Clones share the deadline.
///
/// A step that may hang asks [`time_for`](Self::time_for) how long it may take. So the time that one step does not use is there for
/// the next, and all of them together take no longer than the process has promised.
#[derive(Debug, Clone, Default)]
pub struct EndDeadline {
    at: Arc<Mutex<Option<Instant>>>,
}

impl EndDeadline {
    /// Makes a deadline for a process that nobody has asked to end.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins the end: attempts have `grace` from now on, and the process is gone within `grace` and 2 s. When the end has begun
    /// before, the earlier of both deadlines holds.
    pub fn begin(&self, grace: Duration) {
        let Some(new) = now().checked_add(grace.saturating_add(AFTER_GRACE)) else { return };
        let mut at = self.lock();
        *at = Some(at.map_or(new, |old| old.min(new)));
    }

    /// Returns how long a step may take: at most `limit`, and so that `reserve` is left for the steps after it.
    pub fn time_for(&self, limit: Duration, reserve: Duration) -> Duration {
        let at = *self.lock();
        let left = at.map(|at| at.saturating_duration_since(now()).saturating_sub(reserve));
        left.map_or(limit, |left| limit.min(left))
    }

    /// Returns when only `reserve` is left; `None` until the end has begun.
    pub(crate) fn before(&self, reserve: Duration) -> Option<Instant> {
        let at = *self.lock();
        at.map(|at| at.checked_sub(reserve).unwrap_or(at))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a process may take to end is measured")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const NONE: Duration = Duration::ZERO;

    #[tokio::test(start_paused = true)]
    async fn steps_share_one_deadline() {
        let end = EndDeadline::new();
        assert_eq!(end.time_for(60 * SECOND, SECOND), 60 * SECOND, "nobody has asked to end");
        end.begin(5 * SECOND);
        assert_eq!(end.time_for(3 * SECOND, SECOND), 3 * SECOND, "a step keeps its own limit");
        assert_eq!(end.time_for(60 * SECOND, SECOND), Duration::from_millis(5_900));
        tokio::time::advance(6 * SECOND).await;
        assert_eq!(end.time_for(SECOND, Duration::from_millis(200)), Duration::from_millis(700));
        assert_eq!(end.time_for(SECOND, SECOND), NONE, "the rest is for others");
        tokio::time::advance(SECOND).await;
        assert_eq!(end.clone().time_for(SECOND, NONE), NONE);
    }

    #[tokio::test(start_paused = true)]
    async fn the_earliest_deadline_holds() {
        for (first, second) in [(1, 3_600), (3_600, 1), (u64::MAX, 1)] {
            let end = EndDeadline::new();
            end.begin(Duration::from_secs(first));
            end.begin(Duration::from_secs(second));
            let left = end.time_for(60 * SECOND, NONE);
            assert_eq!(left, Duration::from_millis(2_900), "{first} s, {second} s");
        }
    }
}
