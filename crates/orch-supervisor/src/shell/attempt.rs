//! One attempt as a tokio task: inputs, worker, panic, stop, clean-up. Ends with exactly one `Finished`.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt;
use orch_core::journal::{AttemptProcess, Journal, ProcessId};
use orch_core::{
    Cause, Fence, ProcessLog, RunId, StopSignal, Worker, WorkerContext, WorkerError, WorkerMemory,
    WorkerResult,
};
use tokio::sync::mpsc::UnboundedSender;

use super::clock::monotonic;
use super::patiently::patiently;
use super::results::{reported, whole};
use super::store_health::{Access, StoreHealth, failure};
use super::worker_memory::{BoundMemory, recall};
use crate::driver::{AttemptEnd, Input, StartAttempt};
use crate::guard::GuardedMemory;
use crate::guard::inline::panic_message;
use crate::request::result_may_be_stored;

/// How much longer than its grace time a stopped attempt may take before its future is dropped.
const DROP_AFTER: Duration = Duration::from_secs(1);
/// How long a worker may clean up.
const CLEANUP_LIMIT: Duration = Duration::from_secs(5);

/// Where an attempt reads from.
#[derive(Clone)]
pub(super) struct Stores {
    pub(super) journal: Arc<dyn Journal>,
    pub(super) memory: Option<GuardedMemory>,
    /// How long memory may take to say what helps the worker.
    pub(super) slice_limit: Duration,
    pub(super) health: StoreHealth,
}

/// How to end a running attempt.
#[derive(Clone)]
pub(super) struct Handle {
    stop: StopSignal,
    grace: Arc<OnceLock<Duration>>,
}

impl Handle {
    /// Asks the attempt to end, and drops it when it has not done so within `grace` and a little more.
    pub(super) fn stop(&self, grace: Duration) {
        let _ = self.grace.set(grace);
        self.stop.stop();
    }
}

/// Starts an attempt.
///
/// The order stays in its box until the worker is called: a task is as large as all that it holds on the way.
pub(super) fn spawn(
    start: Box<StartAttempt>,
    stores: Stores,
    events: UnboundedSender<Input>,
) -> Handle {
    let handle = Handle { stop: StopSignal::new(), grace: Arc::default() };
    let own = handle.clone();
    tokio::spawn(async move {
        let (run, fence) = (start.run, start.attempt.fence);
        let end = Box::new(make(start, stores, own).await);
        // Without a receiver the engine is gone, and with it everybody who could want to know.
        let _ = events.send(Input::Finished { run, fence, end });
    });
    handle
}

async fn make(start: Box<StartAttempt>, stores: Stores, handle: Handle) -> AttemptEnd {
    // When the worker began: what comes before is none of its time.
    let begun = OnceLock::new();
    let (worker, subtask) = (start.worker.clone(), start.subtask.clone());
    let work = AssertUnwindSafe(work(start, stores, handle.stop.clone(), &begun)).catch_unwind();
    let ended = tokio::select! {
        biased;
        ended = work => ended,
        () = overstayed(&handle) => Ok(Err(WorkerError::new(Cause::Cancelled, "the attempt did not end when it was told to"))),
    };
    let outcome = match ended {
        Ok(Ok(result)) => match result_may_be_stored(&result) {
            Ok(()) => Ok(result),
            // It could be written, and never read again.
            Err(refusal) => Err(WorkerError::new(Cause::BadOutput, refusal.to_string())),
        },
        Ok(Err(error)) => Err(error),
        Err(panic) => Err(panicked(&*panic)),
    };
    let took = begun.get().map_or(Duration::ZERO, |since| monotonic().duration_since(*since));
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let (result, failure) = match outcome {
        Ok(result) => (result, None),
        Err(error) => {
            let failure = error.into_failure();
            (WorkerResult::failure("", "", failure.message.clone()), Some(failure))
        }
    };
    let result = normalise(result, &subtask.id, &*worker, millis);
    clean_up(&*worker, &result).await;
    let report = reported(result);
    let has_begun = begun.get().is_some();
    AttemptEnd { digest: report.digest, body: report.body, blob: report.blob, failure, has_begun }
}

/// Gathers the inputs, then lets the worker prepare and execute.
async fn work(
    start: Box<StartAttempt>,
    stores: Stores,
    stop: StopSignal,
    begun: &OnceLock<tokio::time::Instant>,
) -> Result<WorkerResult, WorkerError> {
    let inputs = tokio::select! {
        inputs = load_inputs(&start, &stores) => inputs?,
        () = stop.stopped() => return Err(WorkerError::new(Cause::Cancelled, "the attempt was stopped before it began")),
    };
    let start = *start;
    let worker = start.worker;
    let slice = match &stores.memory {
        Some(memory) => tokio::select! {
            slice = recall(memory, stores.slice_limit, &start.project, &*worker, &start.subtask) => slice,
            () = stop.stopped() => None,
        },
        None => None,
    };
    let memory = stores.memory.map(|memory| {
        Arc::new(BoundMemory::new(memory, start.project, &*worker, start.subtask.clone()))
    });
    let (run, fence) = (start.run, start.attempt.fence);
    let log = Log { journal: stores.journal, health: stores.health, run, fence };
    let context = WorkerContext::new(start.subtask, start.attempt)
        .with_parent_context(start.context)
        .with_memory_slice(slice)
        .with_memory(memory.clone().map(|memory| memory as Arc<dyn WorkerMemory>))
        .with_sibling_results(inputs)
        .with_absent(start.absent)
        .with_stop(stop)
        .with_processes(Some(Arc::new(log) as Arc<dyn ProcessLog>));
    let _ = begun.set(monotonic());
    worker.prepare(&context).await?;
    let mut result = worker.execute(context).await?;
    if let Some(memory) = memory {
        memory.add_to(&mut result);
    }
    Ok(result)
}

/// Loads the results of the dependencies. That the store refuses is no fault of the worker's: it is waited for.
async fn load_inputs(
    start: &StartAttempt,
    stores: &Stores,
) -> Result<Vec<Arc<WorkerResult>>, WorkerError> {
    let mut inputs = Vec::with_capacity(start.inputs.len());
    for stored in &start.inputs {
        let input = patiently(&stores.health, || whole(&*stores.journal, stored)).await;
        inputs.push(input.map_err(|error| {
            WorkerError::new(Cause::InvalidInput, "the result of a dependency cannot be loaded")
                .with_source(Some(error.into()))
        })?);
    }
    Ok(inputs)
}

/// Waits until the attempt was told to stop and has had its time to do so.
async fn overstayed(handle: &Handle) {
    handle.stop.stopped().await;
    let grace = handle.grace.get().copied().unwrap_or_default();
    tokio::time::sleep(grace + DROP_AFTER).await;
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> WorkerError {
    WorkerError::new(Cause::Crash, format!("the worker panicked: {}", panic_message(panic)))
}

/// Fills in what the engine knows better than the worker.
fn normalise(
    mut result: WorkerResult,
    subtask: &orch_core::SubtaskId,
    worker: &dyn Worker,
    millis: u64,
) -> WorkerResult {
    result.subtask_id = subtask.clone();
    result.worker_name = worker.name().clone();
    if result.duration_ms == 0 {
        result.duration_ms = millis;
    }
    if !(0.0..=1.0).contains(&result.confidence) {
        tracing::warn!(worker = %result.worker_name, confidence = result.confidence, "confidence is not in 0 to 1; taken as 0");
        result.confidence = 0.0;
    }
    result
}

/// Runs whatever happened; cannot change the result.
async fn clean_up(worker: &dyn Worker, result: &WorkerResult) {
    let cleanup = AssertUnwindSafe(worker.cleanup(result)).catch_unwind();
    match tokio::time::timeout(CLEANUP_LIMIT, cleanup).await {
        Ok(Ok(())) => {}
        Ok(Err(panic)) => {
            tracing::warn!(worker = %worker.name(), error = %panicked(&*panic), "clean-up failed")
        }
        Err(_) => tracing::warn!(worker = %worker.name(), "clean-up took too long and was dropped"),
    }
}

/// Notes processes in the journal, beside the events.
struct Log {
    journal: Arc<dyn Journal>,
    health: StoreHealth,
    run: RunId,
    fence: Fence,
}

impl ProcessLog for Log {
    fn started(&self, process: ProcessId) {
        let note = AttemptProcess::new(self.run, self.fence, process);
        let (journal, health) = (self.journal.clone(), self.health.clone());
        tokio::spawn(async move {
            let noted = journal.note_process(note).await;
            health.note(Access::Write, failure(&noted));
            if let Err(error) = noted {
                // Recovery also finds the process by its environment.
                tracing::debug!(%error, "the process of an attempt could not be noted");
            }
        });
    }
}
