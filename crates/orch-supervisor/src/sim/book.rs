//! What the laws know of a run: kept from the committed events alone, apart from the machine that is under test.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use orch_core::journal::Recorded;
use orch_core::{
    CancelReason, Digest, EndStatus, Event, Fence, RequestKey, ResultSource, RunSettings, RunView,
    Seq, StoredResult, Subtask, SubtaskIndex, Token, Usage,
};

use crate::machine::State;

/// A run as its journal tells it.
pub(super) struct Book {
    pub(super) seq: Seq,
    /// The machine's own fold, one event at a time.
    pub(super) fold: State,
    /// What others than the machine see of the run.
    pub(super) view: RunView,
    pub(super) settings: Arc<RunSettings>,
    pub(super) subtasks: Vec<Arc<Subtask>>,
    /// What each subtask depends on, and whether it tolerates a failure there.
    pub(super) dependencies: Vec<Vec<(SubtaskIndex, bool)>>,
    pub(super) attempts: BTreeMap<Fence, Entry>,
    pub(super) received: BTreeMap<Fence, Arc<StoredResult>>,
    pub(super) accepted: BTreeMap<SubtaskIndex, Fence>,
    /// Failed or skipped.
    pub(super) failed: BTreeSet<SubtaskIndex>,
    pub(super) digests: BTreeSet<(Fence, Digest)>,
    /// The attempts that each claim's request got.
    pub(super) claims: BTreeMap<RequestKey, Vec<Fence>>,
    pub(super) concurrency_limit: u32,
    pub(super) money: Money,
    pub(super) cancelled: Option<CancelReason>,
    pub(super) ended: Option<EndStatus>,
    pub(super) suspensions: u32,
}

/// An attempt.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) subtask: SubtaskIndex,
    pub(super) token: Token,
    pub(super) kind: Kind,
    pub(super) open: bool,
    pub(super) until: Timestamp,
    pub(super) reserved: Option<u64>,
}

/// How an attempt is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Offered,
    Claimed,
    Managed,
}

/// Cost and tokens, in millionths of a US dollar.
#[derive(Debug, Clone, Default)]
pub(super) struct Money {
    pub(super) spent: u64,
    pub(super) tokens: u64,
}

impl Book {
    /// Begins with the first event of a run.
    pub(super) fn begin(fold: State, settings: Arc<RunSettings>, first: &Recorded) -> Self {
        let mut view = RunView::default();
        view.apply(first);
        Self {
            seq: Seq(1),
            view,
            concurrency_limit: settings
                .initial_concurrency_limit
                .clamp(1, settings.max_parallel.max(1)),
            fold,
            settings,
            subtasks: Vec::new(),
            dependencies: Vec::new(),
            attempts: BTreeMap::new(),
            received: BTreeMap::new(),
            accepted: BTreeMap::new(),
            failed: BTreeSet::new(),
            digests: BTreeSet::new(),
            claims: BTreeMap::new(),
            money: Money::default(),
            cancelled: None,
            ended: None,
            suspensions: 0,
        }
    }

    /// Takes note of a committed event.
    pub(super) fn note(&mut self, recorded: &Recorded) {
        self.seq = recorded.seq;
        self.fold.apply(recorded.seq, recorded.at, &recorded.event);
        self.view.apply(recorded);
        match &recorded.event {
            Event::RunSubmitted { .. }
            | Event::RetryScheduled { .. }
            | Event::InterventionMade { .. }
            | Event::InterventionJudged { .. }
            | Event::RunResumed { .. } => {}
            Event::PlanAdopted { add, priors, .. } => {
                self.concurrency_limit = priors.initial_concurrency_limit(&self.settings);
                self.adopt(&add.subtasks);
            }
            Event::AttemptOffered { subtask, fence, token, until, .. } => {
                self.open(*fence, *subtask, *token, Kind::Offered, *until, None);
            }
            Event::AttemptStarted {
                subtask,
                fence,
                token,
                claimed,
                until,
                reserved_micro_usd,
                request_key,
                ..
            } => {
                if let Some(key) = request_key {
                    self.claims.entry(key.clone()).or_default().push(*fence);
                }
                let kind = if *claimed { Kind::Claimed } else { Kind::Managed };
                self.open(*fence, *subtask, *token, kind, *until, *reserved_micro_usd);
            }
            Event::LeaseExtended { fence, until } => {
                if let Some(entry) = self.attempts.get_mut(fence) {
                    entry.until = *until;
                }
            }
            Event::ResultReceived { fence, digest, result, .. } => {
                self.digests.insert((*fence, *digest));
                self.received.insert(*fence, result.clone());
                self.close(*fence, result.result.usage().ok().flatten());
            }
            Event::SubtaskCompleted { subtask, source: ResultSource::Attempt { fence } } => {
                self.accepted.insert(*subtask, *fence);
            }
            Event::AttemptFailed { fence, digest, usage, .. } => {
                self.digests.extend(digest.map(|digest| (*fence, digest)));
                self.close(*fence, *usage);
            }
            Event::AttemptLost { fence, .. } | Event::AttemptClosed { fence, .. } => {
                self.close(*fence, None);
            }
            Event::SubtaskFailed { subtask, .. } | Event::SubtaskSkipped { subtask, .. } => {
                self.failed.insert(*subtask);
            }
            Event::ConcurrencyLimitChanged { concurrency_limit } => {
                self.concurrency_limit = *concurrency_limit
            }
            Event::UsageNoted { usage, .. } => self.spend(*usage),
            Event::RunSuspended { .. } => self.suspensions += 1,
            Event::CancelRequested { reason, .. } => self.cancelled = Some(*reason),
            Event::RunEnded { status, .. } => self.ended = Some(*status),
        }
    }

    fn adopt(&mut self, add: &[Arc<Subtask>]) {
        self.subtasks.extend(add.iter().cloned());
        for subtask in add {
            let place = |id: &orch_core::SubtaskId| self.subtasks.iter().position(|s| s.id == *id);
            let on = subtask.dependencies.iter().filter_map(|id| {
                let index = SubtaskIndex(u32::try_from(place(id)?).ok()?);
                Some((index, subtask.tolerates.contains(id)))
            });
            let on = on.collect();
            self.dependencies.push(on);
        }
    }

    fn open(
        &mut self,
        fence: Fence,
        subtask: SubtaskIndex,
        token: Token,
        kind: Kind,
        until: Timestamp,
        reserved: Option<u64>,
    ) {
        let entry = Entry { subtask, token, kind, open: true, until, reserved };
        self.attempts.insert(fence, entry);
    }

    /// Ends an attempt; what was set aside and not accounted for counts as spent.
    fn close(&mut self, fence: Fence, usage: Option<Usage>) {
        let Some(entry) = self.attempts.get_mut(&fence).filter(|entry| entry.open) else { return };
        entry.open = false;
        let priced = usage.is_some_and(|usage| usage.cost_micro_usd().is_some());
        let unaccounted = if priced { 0 } else { entry.reserved.unwrap_or(0) };
        self.money.spent += unaccounted;
        self.spend(usage);
    }

    fn spend(&mut self, usage: Option<Usage>) {
        let Some(usage) = usage else { return };
        self.money.spent += usage.cost_micro_usd().unwrap_or(0);
        self.money.tokens += usage.tokens().unwrap_or(0);
    }

    /// Returns the open attempts.
    pub(super) fn open_attempts(&self) -> impl Iterator<Item = (Fence, &Entry)> {
        self.attempts.iter().filter(|(_, entry)| entry.open).map(|(fence, entry)| (*fence, entry))
    }

    /// Returns how many attempts are in flight; offers do not count.
    pub(super) fn in_flight(&self) -> usize {
        self.open_attempts().filter(|(_, entry)| entry.kind != Kind::Offered).count()
    }

    /// Returns the accepted result of a subtask.
    pub(super) fn result_of(&self, subtask: SubtaskIndex) -> Option<&Arc<StoredResult>> {
        self.received.get(self.accepted.get(&subtask)?)
    }

    /// Tells whether the subtask is over.
    pub(super) fn is_over(&self, subtask: SubtaskIndex) -> bool {
        self.accepted.contains_key(&subtask) || self.failed.contains(&subtask)
    }
}
