//! What must be going on now: effects are the difference between this and what is.

#[cfg(any(test, feature = "sim"))]
use std::collections::BTreeSet;

use orch_core::Fence;

use super::attempt::AttemptKind;
use super::state::{Stage, State};

/// What must be going on now, given that this process owns the run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg(any(test, feature = "sim"))]
pub(crate) struct Obligations {
    /// A plan is to be made.
    pub plan: bool,
    /// Managed attempts that are to run.
    pub run: BTreeSet<Fence>,
    /// Managed attempts that are to be stopped, and are still open.
    pub stop: BTreeSet<Fence>,
    /// Attempts of an earlier owner that are to be made sure dead.
    pub reap: BTreeSet<Fence>,
    /// The output is to be made.
    pub aggregate: bool,
}

impl State {
    /// Returns what must be going on now.
    #[cfg(any(test, feature = "sim"))]
    pub(crate) fn obligations(&self) -> Obligations {
        let mut all = Obligations { reap: self.orphans.clone(), ..Obligations::default() };
        for fence in &self.open {
            if self.must_run(*fence) {
                all.run.insert(*fence);
            } else if self.must_stop(*fence) {
                all.stop.insert(*fence);
            }
        }
        all.plan = self.must_plan();
        all.aggregate = self.must_aggregate();
        all
    }

    /// Tells whether a plan is to be made.
    pub(crate) fn must_plan(&self) -> bool {
        !self.suspended && self.stage == Stage::Planning
    }

    /// Tells whether the output is to be made.
    pub(crate) fn must_aggregate(&self) -> bool {
        let going = matches!(self.stage, Stage::Active | Stage::Cancelling { .. });
        !self.suspended && going && self.wants_output()
    }

    /// Tells whether a run that has an owner does not stay as it is: a plan, an output or a decision is due.
    pub(crate) fn must_go_on(&self) -> bool {
        self.must_plan()
            || self.must_aggregate()
            || (self.is_active() && !self.undecided.is_empty())
    }

    /// Tells whether something is ready, and the run has room for it.
    pub(crate) fn could_start(&self) -> bool {
        self.is_active() && self.ready.len() > 0 && self.room().is_ok()
    }

    /// Tells whether only the output is missing.
    pub(super) fn wants_output(&self) -> bool {
        self.all_over() || (self.revision == 0 && matches!(self.stage, Stage::Cancelling { .. }))
    }

    fn is_ours(&self, fence: Fence) -> bool {
        self.attempt(fence).is_some_and(|a| a.kind == AttemptKind::Managed)
            && !self.orphans.contains(&fence)
    }

    /// Tells whether a managed attempt is to run.
    pub(crate) fn must_run(&self, fence: Fence) -> bool {
        self.is_ours(fence) && !self.is_unwanted(fence)
    }

    /// Tells whether a managed attempt is to be stopped.
    pub(crate) fn must_stop(&self, fence: Fence) -> bool {
        self.is_ours(fence) && self.is_unwanted(fence)
    }

    fn is_unwanted(&self, fence: Fence) -> bool {
        self.suspended
            || self.overdue.contains(&fence)
            || !matches!(self.stage, Stage::Active)
            || self.attempt(fence).is_some_and(|a| self.node(a.subtask).state.phase().is_final())
    }

    /// Tells whether the time of a managed attempt is over.
    pub(crate) fn is_overdue(&self, fence: Fence) -> bool {
        self.overdue.contains(&fence)
    }
}
