//! What the tests share: a supervisor in virtual time, plans from one line of text, workers that sleep.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use orch_core::{
    ComplexTask, DecompositionPlan, ExecutionStrategy, OrchestrationResult, RunId, RunSettings,
    Subtask, WorkerCapability, WorkerContext, WorkerError,
};
use orch_supervisor::{Builder, Clock, SubmitOptions, Supervisor, worker_fn};
use serde_json::Value;

/// A supervisor builder whose time is tokio's: with `start_paused`, virtual.
pub(crate) fn virtual_time() -> Builder {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    Supervisor::builder().clock(Clock::Tokio(start)).strategy(ExecutionStrategy::Parallel)
}

/// A plan from text: `fetch 2s -> merge; parse -> merge` means that merge waits for both; a number is the time it takes.
pub(crate) fn plan(text: &str) -> DecompositionPlan {
    let mut subtasks: Vec<Subtask> = Vec::new();
    for chain in text.split(';') {
        let mut before: Option<String> = None;
        for step in chain.split("->") {
            let mut words = step.split_whitespace();
            let id = words.next().expect("a step has a name").to_owned();
            let seconds = words.next().map(|w| w.trim_end_matches('s').parse::<u64>().unwrap());
            let place = subtasks.iter().position(|s| s.id == id.as_str()).unwrap_or_else(|| {
                subtasks.push(Subtask::new(id.clone(), id.clone(), "work"));
                subtasks.len() - 1
            });
            if let Some(seconds) = seconds {
                subtasks[place].context.insert("seconds".into(), seconds.into());
            }
            if let Some(before) = before.replace(id) {
                subtasks[place].dependencies.push(before.into());
            }
        }
    }
    DecompositionPlan::new(subtasks)
}

/// Marks the start and the end of what a worker does, in order.
#[derive(Clone, Default)]
pub(crate) struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    pub(crate) fn note(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Sleeps as long as the subtask says, then returns its id.
pub(crate) async fn sleep(ctx: WorkerContext, diary: Diary) -> Result<Value, WorkerError> {
    diary.note(format!("+{}", ctx.subtask.id));
    let seconds = ctx.subtask.context.get("seconds").and_then(Value::as_u64).unwrap_or(1);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    diary.note(format!("-{}", ctx.subtask.id));
    Ok(ctx.subtask.id.as_str().into())
}

/// A worker that sleeps, with room for `slots` attempts.
pub(crate) fn sleeper(slots: u32, diary: &Diary) -> impl orch_core::Worker + use<> {
    let diary = diary.clone();
    worker_fn("sleeper", [WorkerCapability::new("work", ["work"])], move |ctx| {
        sleep(ctx, diary.clone())
    })
    .with_max_concurrency(slots.try_into().unwrap())
}

pub(crate) fn task() -> ComplexTask {
    ComplexTask::new("t", "a test", "test")
}

pub(crate) async fn submit(supervisor: &Supervisor, plan: DecompositionPlan) -> RunId {
    supervisor.submit_with(task(), SubmitOptions::new().plan(plan)).await.unwrap()
}

pub(crate) async fn run(supervisor: &Supervisor, plan: DecompositionPlan) -> OrchestrationResult {
    let run = submit(supervisor, plan).await;
    supervisor.wait(run).await.unwrap()
}

pub(crate) fn settings() -> RunSettings {
    RunSettings::default().with_strategy(ExecutionStrategy::Parallel)
}
