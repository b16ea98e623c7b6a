//! The fold: what an event does to the state. Cannot fail; the journal only holds what was decided.

use std::sync::Arc;

use jiff::Timestamp;
use orch_core::learned::Priors;
use orch_core::{
    AttemptClosedReason, Event, Fence, InterventionSubject, LossCause, ResultSource, Seq,
    SkipReason,
};

use super::attempt::{Attempt, AttemptKind};
use super::command::ReportAnswer;
use super::concurrency_limit::ConcurrencyLimit;
use super::node::SubtaskState;
use super::state::{Ended, Stage, State, Timer, after};

impl State {
    /// Begins with what earlier runs let expect. A later plan comes when the run has seen something itself.
    fn expect(&mut self, priors: &Priors) {
        if self.revision > 0 {
            return;
        }
        self.concurrency_limit =
            ConcurrencyLimit::new(priors.initial_concurrency_limit(&self.settings));
        for (task_type, cost) in &priors.cost_micro_usd {
            self.ledger.expect(task_type, *cost);
        }
        self.liked = priors.aggregation;
        self.preferred.clone_from(&priors.prefer);
    }

    /// Folds one event.
    pub(crate) fn apply(&mut self, seq: Seq, at: Timestamp, event: &Event) {
        self.advance(at);
        self.seq = seq;
        let before = std::mem::replace(&mut self.at, at);
        match event {
            Event::RunSubmitted { task, settings, given, seed, origin } => {
                self.task = task.clone();
                self.context = Arc::new(task.context.clone());
                self.settings = settings.clone();
                self.given = given.clone();
                self.seed = *seed;
                self.origin = origin.clone();
                self.concurrency_limit =
                    ConcurrencyLimit::new(Priors::default().initial_concurrency_limit(settings));
                if let Some(deadline) = task.deadline {
                    self.timers.insert((deadline, Timer::Deadline));
                }
                self.start_clock(at);
            }
            Event::PlanAdopted { revision, retire, add, priors, .. } => {
                self.expect(priors);
                self.adopt(*revision, retire, add);
            }
            Event::AttemptOffered { subtask, fence, token, worker, until, .. } => {
                let attempt = Attempt {
                    subtask: *subtask,
                    token: *token,
                    worker: worker.clone(),
                    kind: AttemptKind::Offered,
                    since: at,
                    until: *until,
                    reserved: None,
                };
                self.open_slot(*fence, attempt);
                self.set(*subtask, SubtaskState::Offered { fence: *fence });
            }
            Event::AttemptStarted {
                subtask,
                fence,
                token,
                worker,
                claimed,
                until,
                reserved_micro_usd,
                request_key,
                ..
            } => {
                let kind = if *claimed { AttemptKind::Claimed } else { AttemptKind::Managed };
                let attempt = Attempt {
                    subtask: *subtask,
                    token: *token,
                    worker: worker.clone(),
                    kind,
                    since: at,
                    until: *until,
                    reserved: *reserved_micro_usd,
                };
                self.start_attempt(*fence, attempt);
                if let Some(key) = request_key {
                    self.claims.entry(key.clone()).or_default().push(*fence);
                }
            }
            Event::LeaseExtended { fence, until } => self.set_until(*fence, *until),
            Event::ResultReceived { subtask, fence, digest, result, request_key, .. } => {
                let usage = result.result.usage().ok().flatten();
                self.close_slot(*fence, Some((*digest, ReportAnswer::Received)), usage.as_ref());
                self.set(
                    *subtask,
                    SubtaskState::Checking { fence: *fence, result: result.clone() },
                );
                if let Some(key) = request_key {
                    self.reports.insert(key.clone(), *fence);
                }
            }
            Event::SubtaskCompleted { subtask, source: ResultSource::Attempt { fence } } => {
                self.complete(*subtask, *fence)
            }
            Event::AttemptFailed { subtask, fence, failure, digest, usage, request_key } => {
                self.fail_attempt(*subtask, *fence, failure, *digest, usage.as_ref());
                if let Some(key) = request_key {
                    self.reports.insert(key.clone(), *fence);
                }
            }
            Event::AttemptLost { subtask, fence, cause } => {
                self.close_slot(*fence, None, None);
                let node = &mut self.nodes[subtask.get()];
                node.losses += u32::from(*cause == LossCause::Restart);
                self.leave_running(*subtask, *fence, SubtaskState::Ready);
            }
            Event::AttemptClosed { subtask, fence, reason } => {
                self.close_slot(*fence, None, None);
                let rest = match reason {
                    AttemptClosedReason::Cancelled => SubtaskState::Cancelled,
                    AttemptClosedReason::Superseded | AttemptClosedReason::Retired => {
                        SubtaskState::Ready
                    }
                };
                self.leave_running(*subtask, *fence, rest);
            }
            Event::RetryScheduled { subtask, until, worker, .. } => {
                self.schedule(*subtask, *until, worker.as_ref())
            }
            Event::SubtaskFailed { subtask, failure, reason } => {
                self.set(
                    *subtask,
                    SubtaskState::Failed { failure: failure.clone(), reason: reason.clone() },
                );
                self.release_dependants(*subtask, false);
            }
            Event::SubtaskSkipped {
                subtask,
                because: SkipReason::Dependency { subtask: because },
            } => {
                self.set(*subtask, SubtaskState::Skipped { because: *because });
                self.release_dependants(*subtask, false);
            }
            Event::InterventionMade {
                subject: InterventionSubject::Subtask { subtask },
                intervention,
            } => {
                let trouble = self.nodes[subtask.get()].trouble.get_or_insert_default();
                trouble.guidance = Some(intervention.suggested_action.clone());
                trouble.intervened = true;
            }
            Event::InterventionJudged { subtask, .. } => {
                if let Some(trouble) = &mut self.nodes[subtask.get()].trouble {
                    trouble.intervened = false;
                }
            }
            Event::ConcurrencyLimitChanged { concurrency_limit } => {
                self.concurrency_limit.change(*concurrency_limit, Fence(self.slots.len() as u64))
            }
            Event::UsageNoted { fence, usage, evidence } => {
                if let Some(evidence) = evidence {
                    self.evidence.insert((*fence, evidence.digest));
                }
                if let Some(usage) = usage {
                    self.ledger.note(usage);
                }
            }
            Event::RunSuspended { .. } => {
                self.stop_clock(at);
                self.suspended = true;
            }
            Event::RunResumed { .. } => self.take_over(before, at),
            Event::CancelRequested { reason, until, detail } => {
                self.begin_cancel(*reason, *until, detail)
            }
            Event::RunEnded { status, output, blob, conflicts, confidence, errors } => {
                self.stop_clock(at);
                self.timers.clear();
                self.stage = Stage::Ended(Box::new(Ended {
                    status: *status,
                    output: output.clone(),
                    blob: *blob,
                    conflicts: conflicts.clone(),
                    confidence: *confidence,
                    errors: errors.clone(),
                }));
                self.cancel_unstarted();
                self.suspended = false;
            }
        }
        #[cfg(any(test, feature = "sim"))]
        self.check_invariants();
    }

    /// Moves what only waits for time: retries whose pause is over become ready, attempts whose time is over are noted.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        while let Some((at, timer)) = self.timers.first().copied() {
            if at > now {
                return;
            }
            self.timers.pop_first();
            match timer {
                Timer::Attempt(fence) => {
                    self.overdue.insert(fence);
                }
                Timer::Backoff(subtask) => self.set(subtask, SubtaskState::Ready),
                // Nothing to change: commands compare these with the time themselves.
                Timer::Deadline | Timer::Grace | Timer::ActiveBudget => {}
            }
        }
    }

    fn start_clock(&mut self, at: Timestamp) {
        self.active_since = Some(at);
        if let Some(max) = self.settings.budget.max_active_ms {
            self.timers
                .insert((after(at, max.saturating_sub(self.active_ms)), Timer::ActiveBudget));
        }
    }

    fn stop_clock(&mut self, at: Timestamp) {
        self.active_ms = self.active_ms(at);
        self.active_since = None;
        self.timers.retain(|(_, timer)| *timer != Timer::ActiveBudget);
    }

    fn take_over(&mut self, before: Timestamp, at: Timestamp) {
        self.suspended = false;
        // Without an owner nothing was active, whether the last one said good-bye or was killed.
        self.stop_clock(before);
        self.start_clock(at);
        for fence in self.open.clone() {
            let Some(attempt) = self.attempt(fence) else { continue };
            let interval = match attempt.kind {
                AttemptKind::Managed => {
                    self.orphans.insert(fence);
                    continue;
                }
                AttemptKind::Claimed => self.settings.lease_ms,
                AttemptKind::Offered => self.settings.offer_timeout_ms,
            };
            // Nobody could be heard while there was no owner: what was alive then gets one fresh interval.
            if attempt.until > before {
                let until = attempt.until.max(after(at, interval));
                self.set_until(fence, until);
            }
        }
    }

    fn begin_cancel(&mut self, reason: orch_core::CancelReason, until: Timestamp, detail: &str) {
        self.stage = Stage::Cancelling { reason, until, detail: detail.to_owned() };
        self.timers.insert((until, Timer::Grace));
        self.cancel_unstarted();
    }
}
