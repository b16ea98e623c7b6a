//! What callers ask of the engine's task.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use orch_core::journal::{Recorded, RunHead};
use orch_core::{Actor, OrchestrationResult, RunId, Worker};
use tokio::sync::oneshot;

use crate::driver::{Left, Response, Submission};
use crate::error::SupervisorError;
use crate::machine::{Command, Refusal};

/// A call from outside.
pub(crate) enum Call {
    /// A new run, with its guests.
    Submit(Box<Submission>, Vec<Arc<dyn Worker>>, Caller<Result<Response, Refusal>>),
    /// A command, with who gives it.
    Command(RunId, Box<Command>, Arc<Actor>, Caller<Result<Response, Refusal>>),
    /// A run is to go on, with its guests.
    Resume(RunId, Vec<Arc<dyn Worker>>, Caller<Result<Response, Refusal>>),
    /// Answered when the run ends or leaves this process; `None` when it is not here.
    Wait(RunId, Caller<Option<Waited>>),
    /// Refused when the run is not here.
    Status(RunId, Caller<Result<Response, Refusal>>),
    /// Answered when the run has settled, or when the time is over; refused when it is not readable.
    Settled(RunId, Duration, Caller<Result<Response, Refusal>>),
    /// Answered when everything is suspended, or given up.
    Shutdown { grace: Duration, leave_quiet: bool, caller: Caller<()> },
}

/// How a wait ended.
pub(crate) type Waited = Result<Result<OrchestrationResult, Left>, SupervisorError>;

/// Where an answer goes.
pub(crate) type Caller<T> = oneshot::Sender<T>;

/// Events of a run, as subscribers see them: in order, with their sequence numbers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Lifecycle {
    /// Which run.
    pub head: Arc<RunHead>,
    /// What happened.
    pub events: Arc<[Recorded]>,
}

impl Lifecycle {
    pub(crate) fn new(head: Arc<RunHead>, events: Arc<[Recorded]>) -> Self {
        Self { head, events }
    }

    /// Returns when the last of the events happened.
    pub fn at(&self) -> Option<Timestamp> {
        self.events.last().map(|recorded| recorded.at)
    }
}
