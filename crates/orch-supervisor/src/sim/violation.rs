//! The laws by name, and what is said when one does not hold.

use std::any::Any;
use std::fmt;

/// What must hold in every history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Law {
    /// The fold of the journal is the state of a process that has no append in flight, obligations included.
    ReplayEqualsLive,
    /// The view of a run says the same as the machine: where run and subtasks stand, open attempts, accepted results.
    ViewEqualsState,
    /// What a process carries out is what its runs oblige it to, no more and no less.
    EffectsAreObligations,
    /// No subtask is given to anybody before what it depends on is accepted, or has failed and may.
    DependenciesFirst,
    /// No more attempts at once than run, concurrency limit, worker and process allow.
    CapsAreKept,
    /// No lock is held by two attempts at once, in the journal or in the world.
    LocksAreKept,
    /// Nothing starts that the budget does not cover.
    BudgetsAreKept,
    /// A subtask is accepted once.
    OneAcceptance,
    /// What was accepted is in the aggregation and in the answer.
    AcceptedIsKept,
    /// Inputs are the accepted results of the dependencies, in plan order.
    InputsAreAccepted,
    /// No reply, effect or published event before its commit.
    CommitFirst,
    /// Published events are the journal's, in order, without gaps.
    PublishedInOrder,
    /// Every run ends once faults stop.
    RunsEnd,
    /// After a cancel nothing starts, and the run ends as cancelled; after the end nothing happens.
    CancelIsFinal,
    /// A run that ends as completed has everything accepted that it was to do.
    EndsAreTrue,
    /// A sequential run makes one attempt at a time.
    SequentialNeverOverlaps,
    /// Two attempts of one subtask never overlap, unless a lapsed claim was taken over.
    NoOverlap,
    /// No attempt is started twice.
    StartedOnce,
    /// Only the owner starts attempts, and those of a lost owner end.
    OnlyTheOwner,
    /// A lease or an offer does not run out while nobody could be heard.
    LeasesOutliveSilence,
    /// The same request gets the same answer.
    RequestKeysAnswerTheSame,
    /// A run is said to have settled when it has, not before.
    SettledIsTrue,
    /// Everybody who asked a process that lives is answered, once.
    EverybodyIsAnswered,
    /// The parts of a state do not contradict each other, and the engine does not panic.
    Invariants,
    /// The same case has the same history.
    SameSeedSameEvents,
}

/// A law that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub law: Law,
    /// What happened.
    pub detail: String,
}

impl Violation {
    pub(super) fn of_panic(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Self { law: Law::Invariants, detail: text.unwrap_or("a panic").to_owned() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.law, self.detail)
    }
}

/// What a check returns.
pub(super) type Check = Result<(), Violation>;

/// Fails with `law` unless `holds`.
pub(super) fn ensure(holds: bool, law: Law, detail: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(Violation { law, detail: detail() }) }
}
