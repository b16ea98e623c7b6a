//! Parts that panic, block, wait, lie or are slow: what ends, what goes on, who is blamed.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use orch_core::{
    AggregateError, AggregationInput, AggregationResult, Aggregator, BoxError, Cause, ComplexTask,
    DecomposeError, Decomposer, DecompositionPlan, DecompositionRequest, EndStatus, Event,
    FailureContext, FailureDecision, FailureEvent, FailureHandler, GateVerdict, Memory,
    MemorySlice, MemorySnapshot, OrchestrationOutcome, ProjectId, QualityGate, RouteError, Router,
    RoutingContext, RoutingDecision, RunId, Seq, Subtask, SubtaskId, WorkerCapability, WorkerError,
    WorkerName, WorkerResult,
};
use orch_supervisor::{Builder, SubmitOptions, Supervisor, worker_fn};
use serde_json::json;
use tokio::sync::watch;

use crate::support::{plan, virtual_time};

/// The task and subtask at which a part is at fault. At all others it works.
const BAD: &str = "bad";

/// What a part is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Decomposer,
    Aggregator,
    Router,
    FailureHandler,
    /// The failure handler, asked whether a run is to end.
    Abort,
    Gate,
    Snapshot,
    Slice,
    Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Panics,
    /// It blocks its thread for ever.
    Blocks,
    /// It waits for what does not come.
    Waits,
    /// Its answer is wrong.
    Lies,
    /// It answers, late.
    Slow,
}

/// A part at fault in one way.
#[derive(Clone)]
struct Faulty {
    part: Part,
    fault: Fault,
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Whether who blocks may go on, at the end of the test.
    released: (Mutex<bool>, Condvar),
    /// How often the fault has happened.
    met: watch::Sender<u32>,
}

impl Faulty {
    fn new(part: Part, fault: Fault) -> Self {
        Self { part, fault, inner: Arc::default() }
    }

    /// What happens in code that cannot wait. Tells whether to lie.
    fn now(&self, part: Part, what: &str) -> bool {
        if part != self.part || what != BAD {
            return false;
        }
        self.inner.met.send_modify(|met| *met += 1);
        match self.fault {
            Fault::Panics => panic!("it is broken"),
            Fault::Blocks => {
                let (released, changed) = &self.inner.released;
                drop(changed.wait_while(released.lock().unwrap(), |released| !*released).unwrap());
                false
            }
            Fault::Slow => {
                std::thread::sleep(Duration::from_millis(30));
                false
            }
            Fault::Waits => false,
            Fault::Lies => true,
        }
    }

    async fn later(&self, part: Part, what: &str) -> bool {
        if part == self.part && what == BAD {
            match self.fault {
                Fault::Waits => {
                    self.inner.met.send_modify(|met| *met += 1);
                    std::future::pending().await
                }
                Fault::Slow => tokio::time::sleep(Duration::from_secs(4)).await,
                Fault::Panics | Fault::Blocks | Fault::Lies => {}
            }
        }
        self.now(part, what)
    }

    async fn is_met(&self, times: u32) {
        self.inner.met.subscribe().wait_for(|met| *met >= times).await.unwrap();
    }

    fn release(&self) {
        *self.inner.released.0.lock().unwrap() = true;
        self.inner.released.1.notify_all();
    }
}

#[async_trait]
impl Decomposer for Faulty {
    async fn decompose(
        &self,
        request: DecompositionRequest<'_>,
    ) -> Result<DecompositionPlan, DecomposeError> {
        let lies = self.later(Part::Decomposer, request.task.id.as_str()).await;
        if lies { Ok(plan("a -> b; b -> a")) } else { Ok(request.given.unwrap().clone()) }
    }
}

impl Aggregator for Faulty {
    fn aggregate(&self, input: &AggregationInput<'_>) -> Result<AggregationResult, AggregateError> {
        self.now(Part::Aggregator, input.task.id.as_str());
        Ok(AggregationResult::new(json!(input.results.len())))
    }
}

impl Router for Faulty {
    fn route(
        &self,
        subtask: &Subtask,
        context: &RoutingContext<'_>,
    ) -> Result<RoutingDecision, RouteError> {
        let lies = self.now(Part::Router, subtask.id.as_str());
        let worker = if lies { "nobody" } else { context.available_workers[0].name().as_str() };
        Ok(RoutingDecision::new(subtask.id.clone(), worker, "it is there"))
    }
}

impl FailureHandler for Faulty {
    fn handle_failure(
        &self,
        failure: &FailureEvent,
        _: &Subtask,
        context: &FailureContext<'_>,
    ) -> FailureDecision {
        let lies = self.now(Part::FailureHandler, failure.subtask_id.as_str());
        match context.failures {
            1 if lies => FailureDecision::retry_on("nobody".into(), Duration::ZERO, "why not"),
            1 => FailureDecision::retry(Duration::ZERO, "once more"),
            _ => FailureDecision::give_up("tried twice"),
        }
    }

    fn should_abort(&self, _: &[FailureEvent], task: &ComplexTask) -> bool {
        self.now(Part::Abort, task.id.as_str())
    }
}

impl QualityGate for Faulty {
    fn check(&self, subtask: &Subtask, _: &WorkerResult) -> GateVerdict {
        let lies = self.now(Part::Gate, subtask.id.as_str());
        if lies { GateVerdict::Fail(String::new()) } else { GateVerdict::Pass }
    }
}

#[async_trait]
impl Memory for Faulty {
    async fn snapshot(
        &self,
        _: &ProjectId,
        task: &ComplexTask,
    ) -> Result<MemorySnapshot, BoxError> {
        let lies = self.later(Part::Snapshot, task.id.as_str()).await;
        if lies { Err("no memory of that".into()) } else { Ok(MemorySnapshot::default()) }
    }

    async fn slice(
        &self,
        _: &ProjectId,
        _: &WorkerName,
        subtask: &Subtask,
        _: u32,
    ) -> Result<MemorySlice, BoxError> {
        let lies = self.later(Part::Slice, subtask.id.as_str()).await;
        if lies { Err("no memory of that".into()) } else { Ok(MemorySlice::new()) }
    }

    async fn record_outcome(&self, outcome: &OrchestrationOutcome) -> Result<(), BoxError> {
        let lies = self.later(Part::Outcome, &outcome.task_description).await;
        if lies { Err("full".into()) } else { Ok(()) }
    }

    async fn feedback(&self, _: RunId, _: f64, _: &str) -> Result<(), BoxError> {
        Ok(())
    }
}

fn supervisor(faulty: &Faulty) -> Supervisor {
    let fails = matches!(faulty.part, Part::FailureHandler | Part::Abort);
    let tries = Arc::new(Mutex::new(BTreeMap::<SubtaskId, u32>::new()));
    let worker = worker_fn("w", [WorkerCapability::new("work", ["work"])], move |ctx| {
        let mut tries = tries.lock().unwrap();
        let tried = tries.entry(ctx.subtask.id.clone()).or_default();
        *tried += 1;
        // Where the handler is tested, the first attempt fails; where it may abort the run, every one of the bad subtask.
        let is_failure = fails && (*tried == 1 || ctx.subtask.id == BAD);
        let lasts = Duration::from_secs(if ctx.subtask.id == "long" { 60 } else { 0 });
        async move {
            tokio::time::sleep(lasts).await;
            if is_failure { Err(WorkerError::new(Cause::Crash, "it fell")) } else { Ok(json!(1)) }
        }
    });
    let builder = virtual_time().worker(worker.with_memory_tokens(100));
    let with = |builder: Builder| match faulty.part {
        Part::Decomposer => builder.decomposer(faulty.clone()),
        Part::Aggregator => builder.aggregator(faulty.clone()),
        Part::Router => builder.router(faulty.clone()),
        Part::FailureHandler | Part::Abort => builder.failure_handler(faulty.clone()),
        Part::Gate => builder.gate(faulty.clone()),
        Part::Snapshot | Part::Slice | Part::Outcome => builder.memory(Arc::new(faulty.clone())),
    };
    with(builder).build()
}

/// Submits a run with one task and one subtask of this name.
async fn submit(supervisor: &Supervisor, name: &str) -> RunId {
    let options = SubmitOptions::new().plan(plan(name));
    supervisor.submit_with(ComplexTask::new(name, name, "test"), options).await.unwrap()
}

/// Returns what the failures of attempts are put down to.
async fn blamed(supervisor: &Supervisor, run: RunId) -> Vec<Cause> {
    let events = supervisor.journal().load(run, Seq(0)).await.unwrap();
    let cause = |event: &Event| {
        if let Event::AttemptFailed { failure, .. } = event { Some(failure.cause) } else { None }
    };
    events.iter().filter_map(|recorded| cause(&recorded.event)).collect()
}

/// What is to become of the run at which the part is at fault.
#[derive(Debug, Clone, Copy)]
enum Expected {
    Completes,
    /// Its first error has this in it.
    Fails(&'static str),
}

/// The part is at fault for one run; what of others is in flight, or comes meanwhile and later, goes on.
async fn check(part: Part, fault: Fault, limit: u64, expected: Expected, blames: &[Cause]) {
    let case = format!("{part:?} {fault:?}");
    let faulty = Faulty::new(part, fault);
    let supervisor = supervisor(&faulty);
    let (bad, beside) = (submit(&supervisor, BAD).await, submit(&supervisor, "beside").await);
    let result = supervisor.wait(beside).await.unwrap();
    assert_eq!(result.status, EndStatus::Completed, "{case}: another run: {:?}", result.errors);
    if fault == Fault::Blocks {
        faulty.is_met(1).await;
        let meanwhile = submit(&supervisor, "meanwhile").await;
        assert!(supervisor.wait(meanwhile).await.unwrap().success, "{case}: a run meanwhile");
        // While a thread is blocked, the virtual clock does not go on by itself.
        tokio::time::advance(Duration::from_secs(limit) + Duration::from_millis(1)).await;
    }
    let result = supervisor.wait(bad).await.unwrap();
    match expected {
        Expected::Completes => {
            assert_eq!(result.status, EndStatus::Completed, "{case}: {:?}", result.errors);
        }
        Expected::Fails(message) => {
            assert_eq!(result.status, EndStatus::Failed, "{case}");
            assert!(result.errors[0].contains(message), "{case}: {:?}", result.errors);
        }
    }
    assert_eq!(blamed(&supervisor, bad).await, blames, "{case}: who is blamed");
    let later = submit(&supervisor, "later").await;
    assert!(supervisor.wait(later).await.unwrap().success, "{case}: a later run");
    supervisor.shutdown(Duration::ZERO).await;
    faulty.release();
}

#[tokio::test(start_paused = true)]
async fn a_part_at_fault_ends_nothing_and_is_blamed_alone() {
    use Expected::{Completes, Fails};
    use Fault::{Blocks, Lies, Panics, Slow, Waits};
    for (part, fault, limit, expected) in [
        (Part::Decomposer, Panics, 60, Fails("the decomposer panicked: it is broken")),
        (Part::Decomposer, Blocks, 60, Fails("the decomposer did not answer within 60 s")),
        (Part::Decomposer, Waits, 60, Fails("the decomposer did not answer within 60 s")),
        (Part::Decomposer, Lies, 60, Fails("wait for each other")),
        (Part::Decomposer, Slow, 60, Completes),
        (Part::Aggregator, Panics, 60, Fails("the aggregator panicked: it is broken")),
        (Part::Aggregator, Blocks, 60, Fails("the aggregator did not answer within 60 s")),
        (Part::Aggregator, Slow, 60, Completes),
        (Part::Router, Panics, 1, Fails("the router panicked: it is broken")),
        (Part::Router, Blocks, 1, Fails("the router did not answer within 1 s")),
        (Part::Router, Lies, 1, Fails("the router chose `nobody`")),
        (Part::Router, Slow, 1, Completes),
        (Part::FailureHandler, Panics, 1, Fails("the failure handler panicked: it is broken")),
        (Part::FailureHandler, Blocks, 1, Fails("the failure handler did not answer within 1 s")),
        (Part::FailureHandler, Lies, 1, Fails("it fell")),
        (Part::FailureHandler, Slow, 1, Fails("it fell")),
        (Part::Abort, Panics, 1, Fails("it fell")),
        (Part::Abort, Blocks, 1, Fails("it fell")),
        (Part::Abort, Slow, 1, Fails("it fell")),
        (Part::Gate, Panics, 1, Fails("the quality gate panicked: it is broken")),
        (Part::Gate, Blocks, 1, Fails("the quality gate did not answer within 1 s")),
        (Part::Gate, Lies, 1, Fails("gate `custom` not passed")),
        (Part::Gate, Slow, 1, Completes),
        (Part::Snapshot, Panics, 10, Completes),
        (Part::Snapshot, Blocks, 10, Completes),
        (Part::Snapshot, Waits, 10, Completes),
        (Part::Snapshot, Lies, 10, Completes),
        (Part::Snapshot, Slow, 10, Completes),
        (Part::Slice, Panics, 5, Completes),
        (Part::Slice, Blocks, 5, Completes),
        (Part::Slice, Waits, 5, Completes),
        (Part::Slice, Lies, 5, Completes),
        (Part::Slice, Slow, 5, Completes),
        (Part::Outcome, Panics, 60, Completes),
        (Part::Outcome, Blocks, 60, Completes),
        (Part::Outcome, Waits, 60, Completes),
        (Part::Outcome, Lies, 60, Completes),
        (Part::Outcome, Slow, 60, Completes),
    ] {
        let blames: &[Cause] = match part {
            // The worker has failed where the handler is asked.
            Part::FailureHandler if matches!(fault, Panics | Blocks) => &[Cause::Crash],
            Part::FailureHandler | Part::Abort => &[Cause::Crash, Cause::Crash],
            Part::Gate if fault == Lies => &[Cause::Gate],
            Part::Gate if matches!(fault, Panics | Blocks) => &[Cause::Policy],
            Part::Gate
            | Part::Router
            | Part::Decomposer
            | Part::Aggregator
            | Part::Snapshot
            | Part::Slice
            | Part::Outcome => &[],
        };
        check(part, fault, limit, expected, blames).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_that_cost_four_threads_is_not_asked_any_more() {
    let faulty = Faulty::new(Part::Decomposer, Fault::Blocks);
    let supervisor = supervisor(&faulty);
    for times in 1..=4 {
        let run = submit(&supervisor, BAD).await;
        faulty.is_met(times).await;
        tokio::time::advance(Duration::from_secs(61)).await;
        let errors = supervisor.wait(run).await.unwrap().errors;
        assert!(errors[0].contains("did not answer within 60 s"), "{errors:?}");
    }
    for name in [BAD, "other"] {
        let run = submit(&supervisor, name).await;
        let errors = supervisor.wait(run).await.unwrap().errors;
        assert!(errors[0].contains("the decomposer is not asked any more"), "{errors:?}");
    }
    assert_eq!(*faulty.inner.met.borrow(), 4);
    supervisor.shutdown(Duration::ZERO).await;
    faulty.release();
}

#[tokio::test(start_paused = true)]
async fn a_handler_on_a_thread_can_abort_a_run() {
    let supervisor = supervisor(&Faulty::new(Part::Abort, Fault::Lies));
    let options = SubmitOptions::new().plan(plan("bad; long"));
    let run = supervisor.submit_with(ComplexTask::new(BAD, BAD, "test"), options).await.unwrap();
    let result = supervisor.wait(run).await.unwrap();
    assert!(result.errors.contains(&"too much has failed".to_owned()), "{:?}", result.errors);
    assert!(result.total_duration_ms < 60_000, "it has not waited for the other subtask");
}

/// More runs are being learned from than learning has threads, and none of them is answered.
#[tokio::test(start_paused = true)]
async fn learning_that_hangs_keeps_no_run_from_being_planned_with_memory() {
    const RUNS: u32 = 20;
    let faulty = Faulty::new(Part::Outcome, Fault::Blocks);
    let supervisor = supervisor(&faulty);
    for _ in 0..RUNS {
        let run = submit(&supervisor, BAD).await;
        assert!(supervisor.wait(run).await.unwrap().success);
    }
    faulty.is_met(4).await;
    let since = supervisor.status(submit(&supervisor, "a").await).await.unwrap().run_id;
    let result = supervisor.wait(since).await.unwrap();
    assert_eq!(result.status, EndStatus::Completed);
    assert_eq!(result.total_duration_ms, 0, "it has waited for no time limit");
    faulty.release();
    supervisor.shutdown(Duration::ZERO).await;
}
