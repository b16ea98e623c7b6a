//! Giving subtasks to workers, within what the run allows.

use jiff::Timestamp;
use orch_core::{Event, ExecutionStrategy, Fence, LockName, SubtaskIndex, SubtaskPhase};
use thiserror::Error;

use super::attempt::AttemptKind;
use super::command::{Decided, Refusal, Start};
use super::state::{Stage, State, after};

/// Why a ready subtask may not start now.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Blocked {
    /// As many attempts are in flight as the strategy, the concurrency limit or the cap of the run allows.
    #[error("{in_flight} attempts are in flight, and no more than {limit} may be")]
    Full {
        /// How many are.
        in_flight: u32,
        /// How many may be.
        limit: u32,
    },
    /// Another attempt holds a lock that it needs.
    #[error("lock `{0}` is held by another attempt")]
    Lock(LockName),
    /// The budget does not allow it.
    #[error("{0}")]
    Budget(&'static str),
}

impl State {
    /// Tells whether the run goes on: neither ending, nor suspended.
    pub(crate) fn is_active(&self) -> bool {
        self.stage == Stage::Active && !self.suspended
    }

    pub(super) fn is_adaptive(&self) -> bool {
        self.settings.strategy == ExecutionStrategy::Adaptive
    }

    /// Returns how many attempts may be in flight now.
    pub(crate) fn limit(&self) -> u32 {
        let cap = self.settings.max_parallel.max(1);
        match self.settings.strategy {
            ExecutionStrategy::Sequential => 1,
            ExecutionStrategy::Parallel => cap,
            ExecutionStrategy::Adaptive => self.concurrency_limit.current.min(cap),
        }
    }

    /// Says why no further attempt may start, if so.
    ///
    /// # Errors
    /// With what is in the way.
    pub(crate) fn room(&self) -> Result<(), Blocked> {
        // An offer in a sequential run may be reported on without a claim, so it counts as much as an attempt.
        let taken = match self.settings.strategy {
            ExecutionStrategy::Sequential => u32::try_from(self.open.len()).unwrap_or(u32::MAX),
            ExecutionStrategy::Parallel | ExecutionStrategy::Adaptive => self.in_flight,
        };
        let limit = self.limit();
        if taken < limit { Ok(()) } else { Err(Blocked::Full { in_flight: taken, limit }) }
    }

    /// Returns what to set aside for an attempt of `subtask`.
    ///
    /// # Errors
    /// With the lock or the budget that is in the way.
    pub(crate) fn may_start(&self, subtask: SubtaskIndex) -> Result<Option<u64>, Blocked> {
        self.may_replace(subtask, &[])
    }

    /// Returns what to set aside for an attempt of `subtask` that takes the place of others: their locks go over to it.
    ///
    /// # Errors
    /// With the lock or the budget that is in the way.
    pub(super) fn may_replace(
        &self,
        subtask: SubtaskIndex,
        others: &[Fence],
    ) -> Result<Option<u64>, Blocked> {
        let node = self.node(subtask);
        let is_held =
            |lock: &&LockName| self.locks.get(*lock).is_some_and(|holder| !others.contains(holder));
        if let Some(lock) = node.spec.locks.iter().find(is_held) {
            return Err(Blocked::Lock(lock.clone()));
        }
        let cap = self
            .class(node.class)
            .constraints
            .as_ref()
            .and_then(|c| c.max_cost_usd)
            .and_then(micro_usd);
        let reservation = self.ledger.reservation(&self.settings.budget, &node.spec.task_type, cap);
        let unpriced = |fence: &&Fence| self.attempt(**fence).is_some_and(|a| a.reserved.is_none());
        let ending = u32::try_from(others.iter().filter(unpriced).count()).unwrap_or(u32::MAX);
        match self.ledger.refuses(&self.settings.budget, reservation, ending) {
            Some(why) => Err(Blocked::Budget(why)),
            None => Ok(reservation),
        }
    }
}

fn micro_usd(usd: f64) -> Option<u64> {
    orch_core::Usage::default().with_cost_usd(usd).cost_micro_usd()
}

pub(super) fn decide(state: &State, start: Start, now: Timestamp) -> Result<Decided, Refusal> {
    if !state.is_active() {
        return Err(Refusal::NotActive { phase: state.phase() });
    }
    let node = state.node(start.subtask);
    let (id, status) = (node.spec.id.clone(), node.state.phase());
    if status != SubtaskPhase::Ready {
        return Err(Refusal::NotReady { subtask: id, status });
    }
    state.room().map_err(|why| Refusal::Blocked { subtask: id.clone(), why })?;
    let fence = state.next_fence();
    let event = match start.kind {
        AttemptKind::Offered => Event::AttemptOffered {
            subtask: start.subtask,
            fence,
            token: start.token,
            worker: start.worker,
            card: Some(start.card),
            until: after(now, state.settings.offer_timeout_ms),
            route: start.route,
        },
        AttemptKind::Managed | AttemptKind::Claimed => {
            let reserved = state
                .may_start(start.subtask)
                .map_err(|why| Refusal::Blocked { subtask: id, why })?;
            let timeout = after(now, start.timeout_ms);
            Event::AttemptStarted {
                subtask: start.subtask,
                fence,
                token: start.token,
                worker: start.worker,
                card: Some(start.card),
                claimed: start.kind == AttemptKind::Claimed,
                until: node.spec.deadline.map_or(timeout, |deadline| deadline.min(timeout)),
                reserved_micro_usd: reserved,
                request_key: None,
                route: start.route,
            }
        }
    };
    Ok(Decided::events(vec![event]))
}
