//! What the driver keeps of a run beside its state: who waits, what is in flight, what is going on. All of it volatile.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use orch_core::journal::{Recorded, RunHead};
use orch_core::{Actor, Epoch, Fence, LockName, Seq, Worker, WorkerName};

use super::inquiries::{Asked, GateCheck, Subject};
use super::inquiry::{Inquiry, Recalled};
use super::io::{AttemptEnd, ReplyId, Response, Submission};
use crate::machine::{Command, Outcome, Refusal, State};
use crate::pauses::Pauses;

/// A run in the driver.
pub(super) struct Run {
    /// `None` while it is being loaded.
    pub(super) state: Option<State>,
    pub(super) head: Option<Arc<RunHead>>,
    /// Set while this process owns the run.
    pub(super) epoch: Option<Epoch>,
    /// Whether this ownership has begun: a run with an earlier owner is carried out only once `RunResumed` is in the journal,
    /// which tells the attempts of that owner from those of this one.
    pub(super) begun: bool,
    /// The last event that subscribers have been told of, or that was there when this process came to the run.
    pub(super) published: Option<Seq>,
    pub(super) inbox: VecDeque<Queued>,
    /// The append in flight.
    pub(super) turn: Option<Turn>,
    /// Who waits for a look at what is durable.
    pub(super) statuses: Vec<ReplyId>,
    /// How far others are known to have written.
    pub(super) behind: Seq,
    /// Managed attempts that the shell runs, with their workers: each holds a slot of the pool.
    pub(super) running: BTreeMap<Fence, WorkerName>,
    /// Those of them that were told to stop.
    pub(super) stopping: BTreeSet<Fence>,
    /// Attempts that are over, while that is not in the journal yet: they must not be started again.
    pub(super) concluding: BTreeSet<Fence>,
    /// Slots of the pool taken for attempts whose start is not confirmed yet.
    pub(super) taken: BTreeMap<Fence, WorkerName>,
    /// Attempts of an earlier owner that are being made sure dead.
    pub(super) reaping: BTreeSet<Fence>,
    /// What memory is asked before the plan.
    pub(super) memory: Inquiry<Recalled>,
    /// The plan, whose answer goes to the inbox.
    pub(super) plan: Inquiry<()>,
    /// The output, whose answer goes to the inbox.
    pub(super) output: Inquiry<()>,
    /// Whether this process is to own the run: it was submitted or resumed here.
    pub(super) wants_ownership: bool,
    /// Whether it is to be owned only to be suspended: its owner died, and it holds a lock that is wanted here.
    pub(super) takes_down: bool,
    /// Who waits for the outcome of a resume.
    pub(super) resuming: Option<ReplyId>,
    /// Whether an acquisition is under way.
    pub(super) acquiring: bool,
    /// Whether the whole run is being loaded.
    pub(super) loading: bool,
    /// When the run is loaded after the store has refused something.
    pub(super) load_at: Option<Timestamp>,
    /// When a failed reaping or acquisition is tried again.
    pub(super) retry_at: Option<Timestamp>,
    /// How long the next wait for a store that refuses is.
    pub(super) pauses: Pauses,
    /// Locks that other runs held when they were last asked for, and when to ask again.
    pub(super) foreign_locks: BTreeMap<LockName, Timestamp>,
    /// Pull workers that only this run knows.
    pub(super) guests: Vec<Arc<dyn Worker>>,
    /// Questions to policies that the shell asks.
    pub(super) asked: BTreeMap<Subject, Asked>,
}

/// Something to be decided.
pub(super) struct Queued {
    pub(super) work: Work,
    /// Who asks for it; `None` for the engine's own work.
    pub(super) by: Option<Arc<Actor>>,
    /// A caller who waits; without one the work is the engine's own, and is never given up.
    pub(super) reply: Option<ReplyId>,
    pub(super) gates: GateCheck,
}

impl Queued {
    pub(super) fn new(work: Work, by: Option<Arc<Actor>>, reply: Option<ReplyId>) -> Self {
        Self { work, by, reply, gates: GateCheck::NotAsked }
    }

    /// Makes work of the engine's own.
    pub(super) fn own(work: Work) -> Self {
        Self::new(work, None, None)
    }

    /// Tells whether it can be decided now: no gate has still to look at it.
    pub(super) fn is_decidable(&self) -> bool {
        !matches!(self.gates, GateCheck::Open(_))
    }
}

/// What is to be decided.
#[expect(
    clippy::large_enum_variant,
    reason = "work is queued and taken out once, and most is commands or boxed"
)]
#[derive(Clone)]
pub(super) enum Work {
    Submit(Box<Submission>),
    Command(Command),
    Finished(Fence, Box<AttemptEnd>),
    /// What became of attempts of an earlier owner.
    Dead(Vec<Fence>),
    Planned(Result<Arc<orch_core::DecompositionPlan>, Vec<String>>),
    End(Outcome),
    Resume(Epoch),
    Suspend(String),
    /// Suspends a run that was acquired, in this epoch, only to free its locks.
    TakeDown(Epoch),
}

/// An append in flight, with what follows when it is confirmed and what is to be decided anew when it is not.
pub(super) struct Turn {
    pub(super) events: Arc<[Recorded]>,
    pub(super) replies: Vec<(ReplyId, Result<Response, Refusal>)>,
    pub(super) decided: Vec<Queued>,
    /// Attempts that the events are about.
    pub(super) touched: BTreeSet<Fence>,
    /// Whether the events concern all attempts.
    pub(super) all: bool,
}

impl Run {
    pub(super) fn unloaded() -> Self {
        Self {
            state: None,
            head: None,
            epoch: None,
            begun: false,
            published: None,
            inbox: VecDeque::new(),
            turn: None,
            statuses: Vec::new(),
            behind: Seq(0),
            running: BTreeMap::new(),
            stopping: BTreeSet::new(),
            concluding: BTreeSet::new(),
            taken: BTreeMap::new(),
            reaping: BTreeSet::new(),
            memory: Inquiry::NotAsked,
            plan: Inquiry::NotAsked,
            output: Inquiry::NotAsked,
            wants_ownership: false,
            takes_down: false,
            resuming: None,
            acquiring: false,
            loading: false,
            load_at: None,
            retry_at: None,
            pauses: Pauses::default(),
            foreign_locks: BTreeMap::new(),
            guests: Vec::new(),
            asked: BTreeMap::new(),
        }
    }

    pub(super) fn submitted() -> Self {
        Self { wants_ownership: true, published: Some(Seq(0)), ..Self::unloaded() }
    }

    /// Takes note that work is decided and durable, or has come to nothing.
    pub(super) fn done_with(&mut self, decided: &[Queued]) {
        for queued in decided {
            if let Work::Finished(fence, _) | Work::Command(Command::Close { fence }) = &queued.work
            {
                self.concluding.remove(fence);
            }
        }
    }

    /// Returns the locks that other runs held when they were last asked for.
    pub(super) fn locked_elsewhere(&self) -> Vec<LockName> {
        self.foreign_locks.keys().cloned().collect()
    }

    pub(super) fn is_owned(&self) -> bool {
        self.epoch.is_some()
    }

    /// Tells whether this process does what the run obliges its owner to.
    pub(super) fn carries_out(&self) -> bool {
        self.is_owned() && self.begun
    }

    /// Tells whether nothing of the run goes on in this process, and nothing is about to.
    pub(super) fn is_quiet(&self) -> bool {
        let owes_nothing = |state: &State| {
            let goes_on = !state.is_ended() && !state.is_suspended();
            goes_on && !state.must_plan() && !state.must_aggregate() && state.orphans().is_empty()
        };
        self.begun
            && self.state.as_ref().is_some_and(owes_nothing)
            && self.inbox.is_empty()
            && self.turn.is_none()
            && self.running.is_empty()
            && self.taken.is_empty()
            && self.concluding.is_empty()
            && self.resuming.is_none()
    }

    /// Returns when the driver must look at the run though nothing has reached it.
    pub(super) fn next_wake(&self) -> Option<Timestamp> {
        let timer = if self.is_owned() && self.turn.is_none() {
            self.state.as_ref().and_then(State::next_timer)
        } else {
            None
        };
        [timer, self.load_at, self.retry_at, self.foreign_locks.values().min().copied()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Tells whether the driver can forget the run: it is not ours, and nothing of it is going on here.
    pub(super) fn is_idle(&self) -> bool {
        !self.is_owned()
            && !self.acquiring
            && !self.wants_ownership
            && self.resuming.is_none()
            && self.inbox.is_empty()
            && self.turn.is_none()
            && self.running.is_empty()
            // What has been asked must not be asked twice, should the run come back before the answer.
            && !self.plan.is_asked()
            && !self.output.is_asked()
            && self.load_at.is_none()
            && self.retry_at.is_none()
    }
}
