//! Deliberately broken variants, to see that the laws catch them. Without the feature `sim` none can be switched on.

#![cfg_attr(
    not(any(test, feature = "sim")),
    allow(unreachable_pub, reason = "public with the feature `sim` only")
)]

/// A way in which the engine can be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Reports are accepted whatever attempt they name.
    NoFenceCheck,
    /// Replies and effects go out before their append is confirmed.
    ReplyBeforeCommit,
    /// Timers are not restored when a run is loaded.
    TimerForgottenOnRecovery,
    /// The state of a failed append is kept.
    StateKeptAfterFailedAppend,
    /// Appends do not carry the owner's epoch.
    EpochNotChecked,
    /// Dependants start when a result is received, not when it is accepted.
    DependantsOnReceived,
    /// A lock is freed when a retry is scheduled, though the attempt may still run.
    LockFreedAtRetry,
    /// An attempt of an earlier owner is taken for lost without being known dead.
    AdoptedWithoutBeingDead,
}

#[cfg(any(test, feature = "sim"))]
impl Bug {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::NoFenceCheck,
        Self::ReplyBeforeCommit,
        Self::TimerForgottenOnRecovery,
        Self::StateKeptAfterFailedAppend,
        Self::EpochNotChecked,
        Self::DependantsOnReceived,
        Self::LockFreedAtRetry,
        Self::AdoptedWithoutBeingDead,
    ];
}

#[cfg(any(test, feature = "sim"))]
mod switch {
    use std::cell::Cell;

    use super::Bug;

    thread_local! {
        static ACTIVE: Cell<Option<Bug>> = const { Cell::new(None) };
        static CHECKED: Cell<bool> = const { Cell::new(cfg!(test)) };
    }

    /// Has states of this thread checked after every event, or not: that costs more than the event itself.
    pub fn check_states(checked: bool) {
        CHECKED.set(checked);
    }

    /// Tells whether states of this thread are checked after every event.
    pub fn checks_states() -> bool {
        CHECKED.get()
    }

    /// Breaks the engine on this thread, or mends it.
    pub fn set(bug: Option<Bug>) {
        ACTIVE.set(bug);
    }

    /// Tells whether the engine is broken in this way on this thread.
    pub fn is(bug: Bug) -> bool {
        ACTIVE.get() == Some(bug)
    }
}

#[cfg(any(test, feature = "sim"))]
pub use switch::{check_states, checks_states, is, set};

/// Tells whether the engine is broken in this way: never.
#[cfg(not(any(test, feature = "sim")))]
pub(crate) const fn is(_: Bug) -> bool {
    false
}
