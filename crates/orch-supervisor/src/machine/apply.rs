//! The fold: what an event does to the state. Cannot fail; the journal only holds what was decided.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use jiff::Timestamp;
use orch_core::{
    AttemptClosedReason, Cause, DecompositionPlan, Digest, Event, Failure, Fence, LossCause, Seq,
    StoredResult, Subtask, SubtaskIndex, SubtaskPhase, Usage, WorkerName,
};

use super::command::ReportAnswer;
use super::state::{
    Attempt, AttemptKind, Closed, Ended, Node, Slot, Stage, State, SubtaskState, Timer, after,
    millis_between,
};
use super::width::Width;
use crate::bug::{self, Bug};

/// What a subtask without an estimate is expected to take, in milliseconds.
const DEFAULT_ESTIMATE_MS: u64 = 1_000;

impl State {
    /// Folds one event.
    pub fn apply(&mut self, seq: Seq, at: Timestamp, event: &Event) {
        self.advance(at);
        self.seq = seq;
        let before = std::mem::replace(&mut self.at, at);
        match event {
            Event::RunSubmitted { task, settings, given } => {
                self.task = task.clone();
                self.context = Arc::new(task.context.clone());
                self.settings = settings.clone();
                self.given = given.clone();
                self.width = Width::new(settings);
                if let Some(deadline) = task.deadline {
                    self.timers.insert((deadline, Timer::Deadline));
                }
                self.start_clock(at);
            }
            Event::PlanAdopted { revision, retire, add, .. } => self.adopt(*revision, retire, add),
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
                    self.claims.insert(key.clone(), *fence);
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
                if bug::is(Bug::DependantsOnReceived) {
                    self.release_dependants(*subtask, true);
                }
                if let Some(key) = request_key {
                    self.reports.insert(key.clone(), *fence);
                }
            }
            Event::SubtaskCompleted { subtask, fence } => self.complete(*subtask, *fence),
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
            Event::SubtaskSkipped { subtask, because } => {
                self.set(*subtask, SubtaskState::Skipped { because: *because });
                self.release_dependants(*subtask, false);
            }
            Event::InterventionMade { subtask, intervention } => {
                let trouble = self.nodes[subtask.get()].trouble.get_or_insert_default();
                trouble.guidance = Some(intervention.suggested_action.clone());
                trouble.intervened = true;
            }
            Event::InterventionJudged { subtask, .. } => {
                if let Some(trouble) = &mut self.nodes[subtask.get()].trouble {
                    trouble.intervened = false;
                }
            }
            Event::WidthChanged { width } => {
                self.width.change(*width, Fence(self.slots.len() as u64))
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
        if bug::checks_states() {
            self.check_invariants();
        }
    }

    /// Moves what only waits for time: retries whose pause is over become ready, attempts whose time is over are noted.
    pub fn advance(&mut self, now: Timestamp) {
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
                // Whoever looks at the time sees these by themselves.
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

    fn adopt(&mut self, revision: u32, retire: &[SubtaskIndex], add: &Arc<DecompositionPlan>) {
        if self.revision == 0 {
            self.source = add.source;
        }
        self.revision = revision;
        if self.stage == Stage::Planning {
            self.stage = Stage::Active;
        }
        for index in retire {
            self.set(*index, SubtaskState::Retired { revision });
        }
        let first = self.nodes.len();
        for (place, spec) in (first..).zip(&add.subtasks) {
            let index = SubtaskIndex(u32::try_from(place).unwrap_or(u32::MAX));
            self.by_id.insert(spec.id.clone(), index);
            if let Some(group) = &spec.group {
                self.groups.entry(group.clone()).or_default().push(index);
            }
            self.push_node(spec.clone());
        }
        self.counts.total += u32::try_from(add.subtasks.len()).unwrap_or(u32::MAX);
        for place in first..self.nodes.len() {
            self.link(place);
        }
        self.rank();
        for place in first..self.nodes.len() {
            let index = SubtaskIndex(u32::try_from(place).unwrap_or(u32::MAX));
            if self.nodes[place].state == SubtaskState::Ready {
                self.ready.insert(self.nodes[place].class, self.key(index));
            }
        }
    }

    fn push_node(&mut self, spec: Arc<Subtask>) {
        let class = self.ready.class_of(&spec, self.task.constraints.as_ref(), None);
        self.nodes.push(Node {
            spec,
            dependencies: Box::default(),
            dependants: Vec::new(),
            state: SubtaskState::Ready,
            rank: 0,
            class,
            attempts: 0,
            failures: 0,
            losses: 0,
            trouble: None,
        });
    }

    /// Connects a new node with what it depends on, and counts it.
    fn link(&mut self, place: usize) {
        let index = SubtaskIndex(u32::try_from(place).unwrap_or(u32::MAX));
        let spec = self.nodes[place].spec.clone();
        let mut seen = std::collections::BTreeSet::new();
        let dependencies: Box<[_]> = spec
            .dependencies
            .iter()
            .filter_map(|id| self.by_id.get(id).map(|on| (*on, spec.tolerates.contains(id))))
            .filter(|(on, _)| seen.insert(*on))
            .collect();
        let mut unmet = 0;
        for (on, tolerated) in &dependencies {
            self.nodes[on.get()].dependants.push(index);
            unmet += u32::from(!is_met(self.nodes[on.get()].state.phase(), *tolerated));
        }
        let node = &mut self.nodes[place];
        node.dependencies = dependencies;
        if let Some(unmet) = NonZeroU32::new(unmet) {
            node.state = SubtaskState::Waiting { unmet };
        }
        let phase = node.state.phase();
        if let Some(count) = self.counts.of(phase) {
            *count += 1;
        }
    }

    /// Recomputes the longest remaining path of every node, from the ends backwards.
    fn rank(&mut self) {
        let mut open: Vec<usize> = self.nodes.iter().map(|n| n.dependants.len()).collect();
        let mut next: Vec<usize> = (0..self.nodes.len()).filter(|i| open[*i] == 0).collect();
        let mut below: HashMap<usize, u64> = HashMap::new();
        while let Some(place) = next.pop() {
            let node = &mut self.nodes[place];
            let own = node.spec.estimated_duration_ms.unwrap_or(DEFAULT_ESTIMATE_MS);
            node.rank = own.saturating_add(below.remove(&place).unwrap_or(0));
            let rank = node.rank;
            for (on, _) in self.nodes[place].dependencies.clone() {
                let longest = below.entry(on.get()).or_default();
                *longest = rank.max(*longest);
                open[on.get()] -= 1;
                if open[on.get()] == 0 {
                    next.push(on.get());
                }
            }
        }
    }

    /// Moves a subtask to another state and keeps every index of it.
    pub(super) fn set(&mut self, index: SubtaskIndex, state: SubtaskState) {
        let key = self.key(index);
        let node = &mut self.nodes[index.get()];
        let (old, class) = (std::mem::replace(&mut node.state, state), node.class);
        let new = &node.state;
        let (before, phase) = (old.phase(), new.phase());
        if let SubtaskState::Backoff { until } = &old {
            self.timers.remove(&(*until, Timer::Backoff(index)));
        }
        if let SubtaskState::Backoff { until } = new {
            self.timers.insert((*until, Timer::Backoff(index)));
        }
        if *new == SubtaskState::Undecided {
            self.undecided.insert(index);
        } else if old == SubtaskState::Undecided {
            self.undecided.remove(&index);
        }
        if before == SubtaskPhase::Ready {
            self.ready.remove(class, key);
        }
        if phase == SubtaskPhase::Ready {
            self.ready.insert(class, key);
        }
        if let Some(count) = self.counts.of(before) {
            *count -= 1;
        }
        match self.counts.of(phase) {
            Some(count) => *count += 1,
            None => self.counts.total -= 1,
        }
    }

    fn open_slot(&mut self, fence: Fence, attempt: Attempt) {
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

    fn start_attempt(&mut self, fence: Fence, attempt: Attempt) {
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

    fn set_until(&mut self, fence: Fence, until: Timestamp) {
        let Some(attempt) = self.attempt(fence) else { return };
        let old = self.timer_of(attempt);
        let new = Attempt { until, ..attempt.clone() };
        self.timers.remove(&(old, Timer::Attempt(fence)));
        self.overdue.remove(&fence);
        self.timers.insert((self.timer_of(&new), Timer::Attempt(fence)));
        self.slots[slot_index(fence)] = Slot::Open(Box::new(new));
    }

    /// Ends an open attempt; one that is over already keeps its first report.
    fn close_slot(
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
    fn leave_running(&mut self, index: SubtaskIndex, fence: Fence, rest: SubtaskState) {
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

    fn complete(&mut self, index: SubtaskIndex, fence: Fence) {
        let SubtaskState::Checking { result, .. } = &self.nodes[index.get()].state else { return };
        let result: Arc<StoredResult> = result.clone();
        let spec = self.nodes[index.get()].spec.clone();
        self.tallies.record(&result.result.worker_name, &spec.task_type, true);
        self.width.succeeded();
        self.answer(fence, ReportAnswer::Accepted);
        self.set(index, SubtaskState::Done { fence, result });
        if !bug::is(Bug::DependantsOnReceived) {
            self.release_dependants(index, true);
        }
    }

    fn fail_attempt(
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
        if let Some(worker) = worker {
            trouble.tried.push(worker.clone());
            self.tallies.record(&worker, &spec.task_type, false);
        }
        self.leave_running(index, fence, SubtaskState::Undecided);
    }

    fn worker_of(&self, index: SubtaskIndex, fence: Fence) -> Option<WorkerName> {
        if let SubtaskState::Checking { result, .. } = &self.node(index).state {
            return Some(result.result.worker_name.clone());
        }
        self.attempt(fence).map(|a| a.worker.clone())
    }

    fn schedule(&mut self, index: SubtaskIndex, until: Timestamp, worker: Option<&WorkerName>) {
        let spec = self.nodes[index.get()].spec.clone();
        let class = self.ready.class_of(&spec, self.task.constraints.as_ref(), worker);
        // The subtask is in no queue now, so its class can change.
        self.nodes[index.get()].class = class;
        let state =
            if until <= self.at { SubtaskState::Ready } else { SubtaskState::Backoff { until } };
        self.set(index, state);
    }

    /// Tells the dependants that `index` is over: met if it is done, or if they tolerate its failure.
    fn release_dependants(&mut self, index: SubtaskIndex, done: bool) {
        for dependant in self.nodes[index.get()].dependants.clone() {
            let node = &self.nodes[dependant.get()];
            let SubtaskState::Waiting { unmet } = node.state else { continue };
            if !done && !node.tolerates(index) {
                continue;
            }
            let state = match NonZeroU32::new(unmet.get() - 1) {
                Some(unmet) => SubtaskState::Waiting { unmet },
                None => SubtaskState::Ready,
            };
            self.set(dependant, state);
        }
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

    /// Cancels every subtask on which nobody works.
    fn cancel_unstarted(&mut self) {
        let ended = self.is_ended();
        for place in 0..self.nodes.len() {
            let unstarted = match self.nodes[place].state.phase() {
                SubtaskPhase::Waiting | SubtaskPhase::Ready => true,
                SubtaskPhase::Backoff => {
                    ended || self.nodes[place].state != SubtaskState::Undecided
                }
                SubtaskPhase::Offered | SubtaskPhase::Running | SubtaskPhase::Checking => ended,
                SubtaskPhase::Done
                | SubtaskPhase::Failed
                | SubtaskPhase::Skipped
                | SubtaskPhase::Cancelled
                | SubtaskPhase::Retired => false,
            };
            if unstarted {
                self.set(
                    SubtaskIndex(u32::try_from(place).unwrap_or(u32::MAX)),
                    SubtaskState::Cancelled,
                );
            }
        }
    }
}

fn slot_index(fence: Fence) -> usize {
    usize::try_from(fence.0.saturating_sub(1)).unwrap_or(usize::MAX)
}

fn is_met(phase: SubtaskPhase, tolerated: bool) -> bool {
    phase == SubtaskPhase::Done || (tolerated && phase.is_final())
}
