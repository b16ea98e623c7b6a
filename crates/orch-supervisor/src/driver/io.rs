//! What goes into the driver and what comes out of it: values only.

use std::sync::Arc;

use jiff::Timestamp;
use orch_core::journal::{AcquireError, Append, AppendError, Blob, Recorded, RunHead};
use orch_core::learned::Learned;
use orch_core::{
    Actor, AggregationInput, AggregationSettings, ComplexTask, DecompositionPlan, Digest, Epoch,
    Failure, Fence, JsonMap, LockName, MemorySnapshot, OrchestrationOutcome, OrchestrationResult,
    Origin, ProjectId, RequestKey, RunId, RunSettings, RunStatus, Seq, StoredResult, Worker,
    WorkerName,
};

use super::inquiries::{PolicyAnswer, PolicyQuestion};
use crate::machine::{Answer, Command, Outcome, Refusal};

/// Names a caller who waits for an answer.
pub(crate) type ReplyId = u64;

/// Something that reached the driver.
#[expect(clippy::large_enum_variant, reason = "boxed commands were measured and gained nothing")]
pub(crate) enum Input {
    /// A new run.
    Submit(Box<Submission>),
    /// A command of a caller.
    Command {
        /// The run.
        run: RunId,
        /// What is asked.
        command: Command,
        /// Who asks.
        by: Option<Arc<Actor>>,
        /// Who waits.
        reply: ReplyId,
    },
    /// How does a run stand? Answered with what is durable.
    Status {
        /// The run.
        run: RunId,
        /// Who waits.
        reply: ReplyId,
    },
    /// How does a run stand when it has settled: when all is done that follows at once, such as a plan for a run that was
    /// submitted, offers of what became ready, the output of what is done?
    Settled {
        /// The run.
        run: RunId,
        /// When the answer is due, settled or not.
        until: Timestamp,
        /// Who waits.
        reply: ReplyId,
    },
    /// Become the owner of a run and go on with it.
    Resume {
        /// The run.
        run: RunId,
        /// Who waits.
        reply: ReplyId,
    },
    /// The guests of a run that was submitted or is to be resumed: pull workers that no other run knows.
    Guests {
        /// The run.
        run: RunId,
        /// The guests.
        workers: Vec<Arc<dyn Worker>>,
    },
    /// A managed attempt is over: nothing of it runs any more.
    Finished {
        /// The run.
        run: RunId,
        /// The attempt.
        fence: Fence,
        /// How it ended.
        end: Box<AttemptEnd>,
    },
    /// The decomposer has answered.
    Planned {
        /// The run.
        run: RunId,
        /// A plan, or why there is none, one sentence each.
        plan: Result<DecompositionPlan, Vec<String>>,
    },
    /// Memory has answered.
    Recalled {
        /// The run.
        run: RunId,
        /// What it knows; empty when it could not be read.
        snapshot: MemorySnapshot,
    },
    /// A policy has answered a question, or will not.
    Answered {
        /// The run.
        run: RunId,
        /// The question.
        number: u64,
        /// The answer, or why there is none.
        answer: Result<PolicyAnswer, Failure>,
    },
    /// The aggregator has answered.
    Aggregated {
        /// The run.
        run: RunId,
        /// What it made.
        outcome: Outcome,
    },
    /// Attempts of an earlier owner are known to be dead.
    Reaped {
        /// The run.
        run: RunId,
        /// The attempts.
        fences: Vec<Fence>,
    },
    /// Attempts of an earlier owner could not be made sure dead; it is tried again.
    ReapFailed {
        /// The run.
        run: RunId,
    },
    /// The append in flight is durable.
    Appended {
        /// The run.
        run: RunId,
    },
    /// The append in flight failed, or perhaps failed.
    AppendFailed {
        /// The run.
        run: RunId,
        /// Why.
        error: AppendError,
    },
    /// Events of a run, after the sequence number that was asked for.
    Loaded {
        /// The run.
        run: RunId,
        /// What was asked for.
        after: Seq,
        /// The events.
        events: Vec<Recorded>,
    },
    /// Events could not be loaded.
    LoadFailed {
        /// The run.
        run: RunId,
    },
    /// The events of a run cannot be read, and will not be able to be.
    Unreadable {
        /// The run.
        run: RunId,
        /// Why not.
        reason: String,
    },
    /// The process owns a run now.
    Acquired {
        /// The run.
        run: RunId,
        /// The epoch.
        epoch: Epoch,
    },
    /// The process does not own a run.
    NotAcquired {
        /// The run.
        run: RunId,
        /// Why.
        error: AcquireError,
    },
    /// A lock that is wanted here is held by managed attempts of a run whose owner is known to have ended.
    OwnerGone {
        /// The run.
        run: RunId,
    },
    /// How far runs are in the journal: others may have written to them.
    Heads(Vec<(RunId, Seq)>),
    /// A worker joins.
    Register(Arc<dyn Worker>),
    /// A worker leaves.
    Unregister(WorkerName),
    /// Suspend all runs of this process and start nothing more.
    Shutdown {
        /// Why, in a few words.
        reason: String,
        /// Whether runs of which nothing goes on here are given up as they are, instead of being suspended.
        leave_quiet: bool,
    },
    /// The wall clock has jumped: nobody could be heard for a while.
    ClockJumped,
    /// Time has passed.
    Time,
}

/// A new run.
#[derive(Debug, Clone)]
pub(crate) struct Submission {
    /// Its id.
    pub run: RunId,
    /// What is asked for.
    pub task: Arc<ComplexTask>,
    /// How it is to be run.
    pub settings: Arc<RunSettings>,
    /// A plan that came with it.
    pub given: Option<Arc<DecompositionPlan>>,
    /// The caller's name for the request.
    pub request_key: Option<RequestKey>,
    /// Where it comes from.
    pub origin: Arc<Origin>,
    /// Who submits it.
    pub by: Option<Arc<Actor>>,
    /// Who waits.
    pub reply: ReplyId,
}

/// How a managed attempt ended.
#[derive(Debug, Clone)]
pub(crate) struct AttemptEnd {
    /// The digest of the result.
    pub digest: Digest,
    /// The result; a failed one when there is a `failure`.
    pub body: Arc<StoredResult>,
    /// The bytes behind a large output.
    pub blob: Option<Blob>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Whether the worker was called. An attempt that was stopped while its inputs were being loaded is no failure of its worker.
    pub has_begun: bool,
}

/// Something that the driver wants done. Outputs are carried out in order, all of them, before the next input.
pub(crate) enum Output {
    /// Append to the journal; answer with `Appended` or `AppendFailed`.
    Append(Box<Append>),
    /// Load events; answer with `Loaded` or `LoadFailed`.
    Load {
        /// The run.
        run: RunId,
        /// The last event that is known.
        after: Seq,
    },
    /// Acquire a run; answer with `Acquired` or `NotAcquired`.
    Acquire {
        /// The run.
        run: RunId,
    },
    /// Find out whether the owner of a run is known to be gone, and whether managed attempts of the run hold a lock that is
    /// wanted here; answer with `OwnerGone` if both are so.
    CheckOwner {
        /// The run.
        run: RunId,
        /// The lock.
        lock: LockName,
    },
    /// Release a run.
    Release {
        /// The run.
        run: RunId,
        /// The epoch that ends.
        epoch: Epoch,
    },
    /// Run an attempt; answer with `Finished`.
    Start(Box<StartAttempt>),
    /// End an attempt: ask it to stop, and make it stop when the grace time is over. `Finished` still follows.
    Stop {
        /// The run.
        run: RunId,
        /// The attempt.
        fence: Fence,
        /// The grace time, in milliseconds.
        grace_ms: u64,
    },
    /// Make sure that attempts of an earlier owner are dead; answer with `Reaped` or `ReapFailed`.
    Reap {
        /// The run.
        run: RunId,
        /// The attempts.
        fences: Vec<Fence>,
    },
    /// Ask memory what it knows; answer with `Recalled`.
    Recall {
        /// The run.
        run: RunId,
        /// The project.
        project: ProjectId,
        /// What is asked for.
        task: Arc<ComplexTask>,
    },
    /// Ask the decomposer; answer with `Planned`.
    Plan {
        /// The run.
        run: RunId,
        /// What is asked for.
        task: Arc<ComplexTask>,
        /// The plan that came with it.
        given: Option<Arc<DecompositionPlan>>,
        /// The most subtasks.
        max_subtasks: u32,
        /// What memory knows.
        learned: Option<Arc<Learned>>,
    },
    /// Ask a policy; answer with `Answered`.
    Ask(PolicyQuestion),
    /// Ask the aggregator; answer with `Aggregated`.
    Aggregate(Box<AggregateRun>),
    /// Answer a caller.
    Reply {
        /// Who.
        reply: ReplyId,
        /// What.
        answer: Result<Response, Refusal>,
    },
    /// Tell subscribers what happened.
    Publish {
        /// The run.
        head: Arc<RunHead>,
        /// What.
        events: Arc<[Recorded]>,
    },
    /// A run that this process owned has ended.
    Ended {
        /// The run.
        run: RunId,
        /// How it went, for the memory, when there is one.
        outcome: Option<Box<OrchestrationOutcome>>,
        /// What became of it; a large output is still in its blob.
        result: Box<OrchestrationResult>,
        /// The large output, and the large results with their place among the results.
        blobs: ResultBlobs,
    },
    /// A run that this process owned goes on no more: it was suspended, or it has another owner.
    Left {
        /// The run.
        run: RunId,
        /// Why.
        why: Left,
    },
}

/// Why a process does not go on with a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Left {
    /// It is suspended.
    Suspended,
    /// This process has given it up as it was; nothing of it went on here.
    GivenUp,
    /// It has another owner.
    OwnerChanged,
    /// Its events cannot be read.
    Unreadable(String),
}

/// Where the large parts of a result are.
#[derive(Debug, Clone, Default)]
pub(crate) struct ResultBlobs {
    /// The aggregated output.
    pub output: Option<orch_core::BlobRef>,
    /// Outputs of results, by the result's place.
    pub results: Vec<(usize, orch_core::BlobRef)>,
}

/// An answer to a caller.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Response {
    /// The run that a submission made, or that an earlier one with the same key had made.
    Run(RunId),
    /// To a command.
    Answer(Answer),
    /// How a run stands.
    Status(Box<RunStatus>),
}

/// An attempt to run.
#[derive(Clone)]
pub(crate) struct StartAttempt {
    /// The run.
    pub run: RunId,
    /// The worker.
    pub worker: Arc<dyn Worker>,
    /// The subtask.
    pub subtask: Arc<orch_core::Subtask>,
    /// The project.
    pub project: ProjectId,
    /// The task's context.
    pub context: Arc<JsonMap>,
    /// Which attempt.
    pub attempt: orch_core::AttemptInfo,
    /// Results of direct dependencies, in plan order.
    pub inputs: Vec<Arc<StoredResult>>,
    /// Direct dependencies that failed and may.
    pub absent: Vec<orch_core::Absence>,
    /// When it times out.
    pub until: Timestamp,
}

/// A run whose output is to be made.
#[derive(Debug, Clone)]
pub(crate) struct AggregateRun {
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: Arc<ComplexTask>,
    /// How it is to be made.
    pub settings: AggregationSettings,
    /// The subtasks, in plan order.
    pub subtasks: Vec<Arc<orch_core::Subtask>>,
    /// Accepted results, in plan order.
    pub results: Vec<Arc<StoredResult>>,
    /// Subtasks without one.
    pub failed: Vec<orch_core::SubtaskId>,
}

impl AggregateRun {
    /// Returns what the aggregator gets, once the outputs of `results` are at hand.
    pub(crate) fn input<'a>(
        &'a self,
        results: &'a [Arc<orch_core::WorkerResult>],
    ) -> AggregationInput<'a> {
        AggregationInput::new(&self.task, &self.subtasks, results, &self.settings)
            .with_failed(&self.failed)
    }
}
