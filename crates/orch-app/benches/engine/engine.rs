//! The engine at work on subtasks that do nothing.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use orch_aggregate::ResultAggregator;
use orch_core::journal::{Journal, MemoryJournal};
use orch_core::{
    AggregationSettings, AggregationStrategy, ComplexTask, DecompositionPlan, ExecutionStrategy,
    OrchestrationResult, RunSettings, Subtask, TaskId, WorkerCapability,
};
use orch_decompose::TaskDecomposer;
use orch_failure::RetryingFailureHandler;
use orch_memory::{SqliteJournal, SqliteOptions, Synchronous};
use orch_route::WorkerRouter;
use orch_supervisor::{Builder, Inline, SubmitOptions, Supervisor, worker_fn};
use serde_json::Value;

use crate::figure::{Count, Figure, Outcome, Shape, Stopwatch, Store, Subject, Used};

/// As many attempts at once as a process may have by default.
const WIDTH: NonZeroU32 = NonZeroU32::new(1_024).unwrap();

pub(crate) async fn measure(figure: Figure, path: &Path, count: Count<'_>) -> Outcome<Used> {
    let (journal, close) = open(figure.store, path).await?;
    let supervisor = builder(figure).journal(journal).build();
    // A run of one subtask: whatever is made at first use is not counted.
    supervisor.execute(task(), None).await?;
    let stopwatch = Stopwatch::start(count);
    let options = SubmitOptions::new().plan(plan(figure));
    let run = supervisor.submit_with(task(), options).await?;
    let result = supervisor.wait(run).await?;
    let used = stopwatch.stop();
    check(figure, &result)?;
    drop(supervisor);
    if let Some(journal) = close {
        journal.close().await;
    }
    Ok(used)
}

async fn open(
    store: Store,
    path: &Path,
) -> Outcome<(Arc<dyn Journal>, Option<Arc<SqliteJournal>>)> {
    let synchronous = match store {
        Store::Memory => return Ok((Arc::new(MemoryJournal::new()), None)),
        Store::SqliteNormal => Synchronous::Normal,
        Store::SqliteFull => Synchronous::Full,
    };
    let options = SqliteOptions::new().with_synchronous(synchronous);
    let journal = Arc::new(SqliteJournal::open(path, options).await?);
    Ok((journal.clone(), Some(journal)))
}

fn builder(figure: Figure) -> Builder {
    let settings = RunSettings::default()
        .with_strategy(ExecutionStrategy::Parallel)
        .with_max_parallel(WIDTH.get())
        .with_aggregation(
            AggregationSettings::default().with_strategy(AggregationStrategy::Concatenate),
        )
        .with_max_subtasks(1_000_000_u32);
    // A leaf is worth 1, everything else what its inputs are worth, and a link of a chain one more.
    let link = u64::from(matches!(figure.shape, Shape::Chain));
    let worker = worker_fn(
        "w",
        [WorkerCapability::new("nothing", ["nothing"])],
        move |context| async move {
            let inputs = &context.sibling_results;
            let worth: u64 = inputs.iter().filter_map(|input| input.output.as_u64()).sum();
            Ok(if inputs.is_empty() { 1 } else { worth + link }.into())
        },
    );
    let builder = Supervisor::builder()
        .settings(settings)
        .process_cap(WIDTH.get())
        .worker(worker.with_max_concurrency(WIDTH));
    match figure.subject {
        Subject::Engine | Subject::Floor => builder,
        Subject::Wired => builder
            .decomposer(TaskDecomposer::default())
            .router(Inline(WorkerRouter::default()))
            .aggregator(ResultAggregator::new())
            .failure_handler(Inline(RetryingFailureHandler::new())),
    }
}

fn plan(figure: Figure) -> DecompositionPlan {
    let name = |i: usize| format!("s{i}");
    // As `orch` does: without it the engine makes a copy of every subtask to fill it in.
    let task = TaskId::new("t");
    let subtask =
        |i: usize| Subtask::new(name(i), "Do nothing", "nothing").with_parent_task_id(task.clone());
    let n = figure.n;
    match figure.shape {
        Shape::Fan => DecompositionPlan::new(
            (0..n).map(subtask).chain([subtask(n).with_dependencies((0..n).map(name))]),
        ),
        Shape::Chain => DecompositionPlan::new((0..n).map(|i| match i.checked_sub(1) {
            None => subtask(i),
            Some(before) => subtask(i).with_dependencies([name(before)]),
        })),
    }
}

/// Every subtask was run, and had its inputs: the last one is worth N.
fn check(figure: Figure, result: &OrchestrationResult) -> Outcome<()> {
    let expected = figure.n + usize::from(matches!(figure.shape, Shape::Fan));
    let last = result.subtask_results.last().map(|last| &last.output);
    let (n, worth) = (result.subtask_results.len(), last.and_then(Value::as_u64));
    if !result.success || n != expected || worth != Some(figure.n as u64) {
        let errors = &result.errors;
        return Err(format!("{n} results, the last {worth:?}, {errors:?}").into());
    }
    Ok(())
}

fn task() -> ComplexTask {
    ComplexTask::new("t", "Do nothing", "nothing")
}
