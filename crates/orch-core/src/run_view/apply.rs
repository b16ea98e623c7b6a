//! The fold: what an event makes of a view.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{AttemptEnd, AttemptKind, AttemptView, RunView, SubtaskView};
use crate::{
    AttemptClosedReason, Event, EvidenceKind, Fence, Recorded, ResultSource, RoutingNote, Subtask,
    SubtaskIndex, SubtaskPhase, Token, WorkerName,
};

impl RunView {
    /// Applies the next event of the run.
    pub fn apply(&mut self, recorded: &Recorded) {
        let at = recorded.at;
        let before = self.at.replace(at).unwrap_or(at);
        self.seq = recorded.seq;
        match &recorded.event {
            Event::RunSubmitted { task, settings, .. } => {
                (self.task, self.settings) = (Some(task.clone()), Some(settings.clone()));
            }
            Event::PlanAdopted { revision, retire, add, .. } => {
                self.revision = *revision;
                self.adopt(retire, &add.subtasks);
            }
            Event::AttemptOffered { subtask, fence, token, worker, until, route, .. } => {
                let kind = AttemptKind::Offered;
                let attempt = begun(*token, worker, kind, at, *until, route.as_deref());
                self.begin(*subtask, *fence, attempt);
            }
            Event::AttemptStarted {
                subtask, fence, token, worker, claimed, until, route, ..
            } => {
                let kind = if *claimed { AttemptKind::Claimed } else { AttemptKind::Managed };
                let attempt = begun(*token, worker, kind, at, *until, route.as_deref());
                self.begin(*subtask, *fence, attempt);
            }
            Event::LeaseExtended { fence, until } => {
                self.with_attempt(*fence, |attempt| attempt.until = *until);
            }
            Event::ResultReceived { subtask, fence, result, .. } => {
                if self.with_attempt(*fence, |a| a.result = Some(result.clone())) {
                    self.set(*subtask, SubtaskPhase::Checking);
                }
            }
            Event::SubtaskCompleted { subtask, source: ResultSource::Attempt { fence } } => {
                let end = AttemptEnd::Accepted;
                if self.with_attempt(*fence, |attempt| attempt.end = Some((at, end))) {
                    self.finish(*subtask, SubtaskPhase::Done);
                }
            }
            Event::AttemptFailed { fence, failure, .. } => {
                let end = AttemptEnd::Failed((**failure).clone());
                self.end_attempt(*fence, at, end, SubtaskPhase::Backoff);
            }
            Event::AttemptLost { fence, cause, .. } => {
                self.end_attempt(*fence, at, AttemptEnd::Lost(*cause), SubtaskPhase::Ready);
            }
            Event::AttemptClosed { fence, reason, .. } => {
                let rest = match reason {
                    AttemptClosedReason::Cancelled => SubtaskPhase::Cancelled,
                    AttemptClosedReason::Superseded | AttemptClosedReason::Retired => {
                        SubtaskPhase::Ready
                    }
                };
                self.end_attempt(*fence, at, AttemptEnd::Closed(*reason), rest);
            }
            Event::RetryScheduled { subtask, until, .. } => self.schedule(*subtask, at, *until),
            Event::SubtaskFailed { subtask, .. } => self.finish(*subtask, SubtaskPhase::Failed),
            Event::SubtaskSkipped { subtask, .. } => self.finish(*subtask, SubtaskPhase::Skipped),
            Event::UsageNoted { fence, evidence, .. } => {
                if let Some(kept) = evidence.as_ref().filter(|e| e.kind == EvidenceKind::Stopped) {
                    self.with_attempt(*fence, |a| a.stopped_with = Some(kept.result.clone()));
                }
            }
            Event::RunSuspended { .. } => self.is_suspended = true,
            Event::RunResumed { .. } => self.resume(before, at),
            Event::CancelRequested { reason, .. } => {
                self.cancel_reason = Some(*reason);
                self.cancel_subtasks(|subtask| match subtask.phase {
                    SubtaskPhase::Waiting | SubtaskPhase::Ready => true,
                    // Without a time the failure is still to be decided about.
                    SubtaskPhase::Backoff => subtask.retry_at.is_some(),
                    SubtaskPhase::Offered | SubtaskPhase::Running | SubtaskPhase::Checking => false,
                    SubtaskPhase::Done
                    | SubtaskPhase::Failed
                    | SubtaskPhase::Skipped
                    | SubtaskPhase::Cancelled
                    | SubtaskPhase::Retired => false,
                });
            }
            Event::RunEnded { status, .. } => {
                self.end_status = Some(*status);
                self.cancel_subtasks(|subtask| !subtask.phase.is_final());
                self.is_suspended = false;
            }
            Event::InterventionMade { .. }
            | Event::InterventionJudged { .. }
            | Event::ConcurrencyLimitChanged { .. } => {}
        }
    }

    fn adopt(&mut self, retire: &[SubtaskIndex], add: &[Arc<Subtask>]) {
        for index in retire {
            self.set(*index, SubtaskPhase::Retired);
        }
        let first = self.subtasks.len();
        for (place, spec) in (first..).zip(add) {
            self.indexes.insert(spec.id.clone(), index_of(place));
            self.subtasks.push(SubtaskView {
                spec: spec.clone(),
                phase: SubtaskPhase::Ready,
                retry_at: None,
                attempts: Default::default(),
                dependencies: Vec::new(),
                dependants: Vec::new(),
                unmet: 0,
            });
        }
        (first..self.subtasks.len()).for_each(|place| self.link(place));
    }

    /// Connects a new subtask with what it depends on.
    fn link(&mut self, place: usize) {
        let spec = self.subtasks[place].spec.clone();
        let mut dependencies: Vec<(SubtaskIndex, bool)> = Vec::new();
        for id in &spec.dependencies {
            let Some(on) = self.indexes.get(id).copied() else { continue };
            if dependencies.iter().all(|(known, _)| *known != on) {
                dependencies.push((on, spec.tolerates.contains(id)));
            }
        }
        let is_unmet = |(on, tolerated): &&(SubtaskIndex, bool)| {
            let phase = self.subtasks[on.get()].phase;
            phase != SubtaskPhase::Done && !(*tolerated && phase.is_final())
        };
        let unmet = dependencies.iter().filter(is_unmet).count();
        for (on, _) in &dependencies {
            self.subtasks[on.get()].dependants.push(index_of(place));
        }
        let subtask = &mut self.subtasks[place];
        (subtask.dependencies, subtask.unmet) = (dependencies, unmet);
        if unmet > 0 {
            subtask.phase = SubtaskPhase::Waiting;
        }
    }

    /// Begins an attempt. A claimed offer is the same attempt, and has the reason of the offer.
    fn begin(&mut self, index: SubtaskIndex, fence: Fence, mut attempt: AttemptView) {
        let Some(subtask) = self.subtasks.get_mut(index.get()) else { return };
        let phase = match attempt.kind {
            AttemptKind::Offered => SubtaskPhase::Offered,
            AttemptKind::Claimed | AttemptKind::Managed => SubtaskPhase::Running,
        };
        if let Some(offer) = subtask.attempts.remove(&fence) {
            attempt.route = offer.route.or(attempt.route);
        }
        subtask.attempts.insert(fence, attempt);
        self.subtask_of.insert(fence, index);
        self.set(index, phase);
    }

    /// Ends an attempt. Without another open one, its subtask goes on to `rest`, unless it had gone on before.
    fn end_attempt(&mut self, fence: Fence, at: Timestamp, end: AttemptEnd, rest: SubtaskPhase) {
        let Some(index) = self.subtask_of.get(&fence).copied() else { return };
        let Some(subtask) = self.subtasks.get_mut(index.get()) else { return };
        let Some(attempt) = subtask.attempts.get_mut(&fence) else { return };
        let (was_checked, kind) = (attempt.result.is_some(), attempt.kind);
        attempt.end = Some((at, end));
        let has_left = match subtask.phase {
            SubtaskPhase::Running => true,
            SubtaskPhase::Checking => was_checked,
            SubtaskPhase::Offered => kind == AttemptKind::Offered,
            SubtaskPhase::Waiting | SubtaskPhase::Ready | SubtaskPhase::Backoff => false,
            SubtaskPhase::Done
            | SubtaskPhase::Failed
            | SubtaskPhase::Skipped
            | SubtaskPhase::Cancelled
            | SubtaskPhase::Retired => false,
        };
        if !has_left {
            return;
        }
        let is_running = subtask.attempts.values().any(AttemptView::is_open);
        let phase = if is_running {
            SubtaskPhase::Running
        } else if rest == SubtaskPhase::Ready && self.cancel_reason.is_some() {
            // Nothing starts in a run that ends early.
            SubtaskPhase::Cancelled
        } else {
            rest
        };
        self.set(index, phase);
    }

    fn schedule(&mut self, index: SubtaskIndex, at: Timestamp, until: Timestamp) {
        self.set(index, if until <= at { SubtaskPhase::Ready } else { SubtaskPhase::Backoff });
        if let Some(subtask) = self.subtasks.get_mut(index.get()).filter(|_| until > at) {
            subtask.retry_at = Some(until);
        }
    }

    /// Ends a subtask, and tells those that depend on it.
    fn finish(&mut self, index: SubtaskIndex, phase: SubtaskPhase) {
        self.set(index, phase);
        let dependants = self.subtasks.get(index.get()).map(|subtask| subtask.dependants.clone());
        for dependant in dependants.unwrap_or_default() {
            let subtask = &mut self.subtasks[dependant.get()];
            let is_met =
                phase == SubtaskPhase::Done || subtask.dependencies.contains(&(index, true));
            if subtask.phase == SubtaskPhase::Waiting && is_met {
                subtask.unmet = subtask.unmet.saturating_sub(1);
                if subtask.unmet == 0 {
                    subtask.phase = SubtaskPhase::Ready;
                }
            }
        }
    }

    /// Without an owner nobody could be heard: an offer or a lease that was alive `before` gets one fresh interval.
    fn resume(&mut self, before: Timestamp, at: Timestamp) {
        self.is_suspended = false;
        let Some(settings) = self.settings.clone() else { return };
        let attempts = self.subtasks.iter_mut().flat_map(|subtask| subtask.attempts.values_mut());
        for attempt in attempts.filter(|attempt| attempt.is_open() && attempt.until > before) {
            let interval_ms = match attempt.kind {
                AttemptKind::Managed => continue,
                AttemptKind::Claimed => settings.lease_ms,
                AttemptKind::Offered => settings.offer_timeout_ms,
            };
            let fresh = at.checked_add(Duration::from_millis(interval_ms));
            attempt.until = attempt.until.max(fresh.unwrap_or(Timestamp::MAX));
        }
    }

    fn cancel_subtasks(&mut self, is_cancelled: impl Fn(&SubtaskView) -> bool) {
        for subtask in self.subtasks.iter_mut().filter(|subtask| is_cancelled(subtask)) {
            (subtask.phase, subtask.retry_at) = (SubtaskPhase::Cancelled, None);
        }
    }

    fn set(&mut self, index: SubtaskIndex, phase: SubtaskPhase) {
        if let Some(subtask) = self.subtasks.get_mut(index.get()) {
            (subtask.phase, subtask.retry_at) = (phase, None);
        }
    }

    /// Changes an attempt, and tells whether there is such an attempt.
    fn with_attempt(&mut self, fence: Fence, change: impl FnOnce(&mut AttemptView)) -> bool {
        let subtask =
            self.subtask_of.get(&fence).and_then(|index| self.subtasks.get_mut(index.get()));
        let attempt = subtask.and_then(|subtask| subtask.attempts.get_mut(&fence));
        attempt.map(change).is_some()
    }
}

fn index_of(place: usize) -> SubtaskIndex {
    SubtaskIndex(u32::try_from(place).unwrap_or(u32::MAX))
}

fn begun(
    token: Token,
    worker: &WorkerName,
    kind: AttemptKind,
    since: Timestamp,
    until: Timestamp,
    route: Option<&RoutingNote>,
) -> AttemptView {
    AttemptView {
        token,
        worker: worker.clone(),
        kind,
        since,
        until,
        route: route.cloned().map(Box::new),
        result: None,
        stopped_with: None,
        end: None,
    }
}
