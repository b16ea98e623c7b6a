//! Attempts: opened, started, closed, and what their end makes of their subtask.

use std::sync::Arc;

use jiff::Timestamp;
use orch_core::{Cause, Digest, Failure, Fence, StoredResult, SubtaskIndex, Usage, WorkerName};

use super::attempt::{Attempt, AttemptKind, Closed, Slot};
use super::command::ReportAnswer;
use super::node::SubtaskState;
use super::state::{Stage, State, Timer, after, millis_between};

impl State {
    pub(super) fn open_slot(&mut self, fence: Fence, attempt: Attempt) {
        debug_assert_eq!(fence, self.next_fence(), "fences grow one by one");
        self.timers.insert((self.timer_of(&attempt), Timer::Attempt(fence)));
        self.nodes[attempt.subtask.get()].attempts += 1;
        self.open.insert(fence);
        self.slots.push(Slot::Open(Box::new(attempt)));
    }

    /// Returns when something must happen to an attempt: a lapsed lease stays acceptable for the time of an offer.
    fn timer_of(&self, attempt: &Attempt) -> Timestamp {
        match attempt.kind {
            AttemptKind::Managed | AttemptKind::Offered => attempt.until,
            AttemptKind::Claimed => after(attempt.until, self.settings.offer_timeout_ms),
        }
    }

    pub(super) fn start_attempt(&mut self, fence: Fence, attempt: Attempt) {
        let subtask = attempt.subtask;
        self.ledger.reserve(attempt.reserved);
        self.in_flight += 1;
        for lock in &self.nodes[subtask.get()].spec.locks {
            self.locks.insert(lock.clone(), fence);
        }
        let offered = self.attempt(fence).map(|offer| self.timer_of(offer));
        match offered {
            Some(timer) => {
                self.timers.remove(&(timer, Timer::Attempt(fence)));
                self.overdue.remove(&fence);
                self.timers.insert((self.timer_of(&attempt), Timer::Attempt(fence)));
                self.slots[slot_index(fence)] = Slot::Open(Box::new(attempt));
            }
            None => self.open_slot(fence, attempt),
        }
        let attempts =
            self.nodes[subtask.get()].state.running().iter().copied().chain([fence]).collect();
        self.set(subtask, SubtaskState::Running { attempts });
    }

    pub(super) fn set_until(&mut self, fence: Fence, until: Timestamp) {
        let Some(attempt) = self.attempt(fence) else { return };
        let old = self.timer_of(attempt);
        let new = Attempt { until, ..attempt.clone() };
        self.timers.remove(&(old, Timer::Attempt(fence)));
        self.overdue.remove(&fence);
        self.timers.insert((self.timer_of(&new), Timer::Attempt(fence)));
        self.slots[slot_index(fence)] = Slot::Open(Box::new(new));
    }

    /// Ends an open attempt; one that is over already keeps its first report.
    pub(super) fn close_slot(
        &mut self,
        fence: Fence,
        report: Option<(Digest, ReportAnswer)>,
        usage: Option<&Usage>,
    ) {
        let Some(attempt) = self.attempt(fence).cloned() else { return };
        let timer = self.timer_of(&attempt);
        let subtask = attempt.subtask;
        let closed = Closed { subtask, token: attempt.token, report };
        self.slots[slot_index(fence)] = Slot::Closed(closed);
        self.timers.remove(&(timer, Timer::Attempt(fence)));
        self.overdue.remove(&fence);
        self.orphans.remove(&fence);
        self.open.remove(&fence);
        if attempt.kind == AttemptKind::Offered {
            if let Some(usage) = usage {
                self.ledger.note(usage);
            }
            return;
        }
        self.in_flight -= 1;
        for lock in &self.nodes[subtask.get()].spec.locks {
            if self.locks.get(lock) == Some(&fence) {
                self.locks.remove(lock);
            }
        }
        *self.busy_ms.entry(attempt.worker).or_default() += millis_between(attempt.since, self.at);
        let spec = self.nodes[subtask.get()].spec.clone();
        self.ledger.settle(attempt.reserved, &spec.task_type, usage);
    }

    fn answer(&mut self, fence: Fence, answer: ReportAnswer) {
        if let Some(Slot::Closed(Closed { report: Some((_, first)), .. })) =
            self.slots.get_mut(slot_index(fence))
        {
            *first = answer;
        }
    }

    /// Takes `fence` out of a running subtask; without further attempts it goes on to `rest`, unless it is over.
    pub(super) fn leave_running(&mut self, index: SubtaskIndex, fence: Fence, rest: SubtaskState) {
        let state = match &self.nodes[index.get()].state {
            SubtaskState::Running { attempts } => {
                let attempts: Vec<_> = attempts.iter().copied().filter(|f| *f != fence).collect();
                if attempts.is_empty() {
                    self.in_place_of(rest)
                } else {
                    SubtaskState::Running { attempts }
                }
            }
            SubtaskState::Checking { fence: checked, .. } if *checked == fence => {
                let others: Vec<_> = self
                    .open
                    .iter()
                    .copied()
                    .filter(|f| self.attempt(*f).is_some_and(|a| a.subtask == index))
                    .collect();
                if others.is_empty() {
                    self.in_place_of(rest)
                } else {
                    SubtaskState::Running { attempts: others }
                }
            }
            SubtaskState::Offered { fence: offer } if *offer == fence => self.in_place_of(rest),
            SubtaskState::Waiting { .. }
            | SubtaskState::Ready
            | SubtaskState::Offered { .. }
            | SubtaskState::Checking { .. }
            | SubtaskState::Undecided
            | SubtaskState::Backoff { .. }
            | SubtaskState::Done { .. }
            | SubtaskState::Failed { .. }
            | SubtaskState::Skipped { .. }
            | SubtaskState::Cancelled
            | SubtaskState::Retired { .. } => return,
        };
        self.set(index, state);
    }

    /// A run that is ending has no ready subtasks.
    fn in_place_of(&self, rest: SubtaskState) -> SubtaskState {
        match (&self.stage, rest) {
            (Stage::Cancelling { .. }, SubtaskState::Ready) => SubtaskState::Cancelled,
            (_, rest) => rest,
        }
    }

    pub(super) fn complete(&mut self, index: SubtaskIndex, fence: Fence) {
        let SubtaskState::Checking { result, .. } = &self.nodes[index.get()].state else { return };
        let result: Arc<StoredResult> = result.clone();
        let spec = self.nodes[index.get()].spec.clone();
        self.outcome_counts.record(&result.result.worker_name, &spec.task_type, true);
        self.concurrency_limit.succeeded();
        self.answer(fence, ReportAnswer::Accepted);
        self.set(index, SubtaskState::Done { fence, result });
        self.release_dependants(index, true);
    }

    pub(super) fn fail_attempt(
        &mut self,
        index: SubtaskIndex,
        fence: Fence,
        failure: &Failure,
        digest: Option<Digest>,
        usage: Option<&Usage>,
    ) {
        let worker = self.worker_of(index, fence);
        self.close_slot(fence, digest.map(|d| (d, ReportAnswer::Accepted)), usage);
        if failure.cause == Cause::Gate {
            self.answer(fence, ReportAnswer::Rejected { reason: failure.message.clone() });
        }
        let node = &mut self.nodes[index.get()];
        node.failures += 1;
        let spec = node.spec.clone();
        let trouble = node.trouble.get_or_insert_default();
        trouble.last = Some(failure.clone());
        // A policy that fails, as a gate that panics, says nothing about the worker.
        if let Some(worker) = worker.filter(|_| failure.cause != Cause::Policy) {
            trouble.tried.push(worker.clone());
            self.outcome_counts.record(&worker, &spec.task_type, false);
        }
        self.leave_running(index, fence, SubtaskState::Undecided);
    }

    fn worker_of(&self, index: SubtaskIndex, fence: Fence) -> Option<WorkerName> {
        if let SubtaskState::Checking { result, .. } = &self.node(index).state {
            return Some(result.result.worker_name.clone());
        }
        self.attempt(fence).map(|a| a.worker.clone())
    }
}

fn slot_index(fence: Fence) -> usize {
    usize::try_from(fence.0.saturating_sub(1)).unwrap_or(usize::MAX)
}
