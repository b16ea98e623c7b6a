//! What a run is expected to be, before it is one: the driver itself, in virtual time, with attempts that last as long as
//! memory says and all succeed. Nothing is started, and nothing written.
//!
//! ```text
//! plan, memory --estimate--> how long each worker takes --rehearsal (driver, pool, policies)--> Forecast
//! ```
//! So order, caps, locks, budgets and the concurrency limit are those of a real run: there is no second copy of the rules. A
//! rehearsal is deterministic; there are two, one in which everything takes its median and one in which it takes its 0.9-quantile.

mod estimate;
mod rehearsal;

use std::sync::Arc;

use jiff::Timestamp;
use orch_core::learned::Expectation;
use orch_core::{
    ComplexTask, DecompositionPlan, MemorySnapshot, RunSettings, SubtaskId, SubtaskIndex, Worker,
    WorkerName,
};
use serde::Serialize;

pub use estimate::{Basis, Estimate};

use crate::driver::Policies;
use estimate::Length;
use rehearsal::{Attempt, Course, rehearse};

/// What a run is expected to be.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Forecast {
    /// The subtasks, in plan order; replicas are subtasks of their own.
    pub subtasks: Vec<ExpectedSubtask>,
    /// How long it takes when everything takes its median, in milliseconds.
    pub wall_ms: u64,
    /// How long it takes when everything takes its 0.9-quantile, in milliseconds.
    pub slow_wall_ms: u64,
    /// The most attempts in flight at once.
    pub most_at_once: u32,
    /// How many subtasks there are on each level: those that depend on nothing, those that depend on them, and so on.
    pub levels: Vec<u32>,
    /// The subtasks that decide how long the run takes at best, first things first.
    pub longest_path: Vec<SubtaskId>,
    /// How long these take one after the other, in milliseconds.
    pub longest_path_ms: u64,
    /// How many subtasks run at once on average when only dependencies limit them.
    pub parallelism: f64,
    /// What all of it costs, as far as that is known, in millionths of a US dollar; `None` when nothing is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_micro_usd: Option<u64>,
    /// Of how many subtasks the cost is not known.
    pub unpriced: u32,
    /// Of how many subtasks the duration is guessed, since neither memory nor the plan says anything.
    pub guessed: u32,
    /// Why the run would end before its time, such as a budget that does not suffice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_early: Option<String>,
}

/// What is expected of a subtask.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ExpectedSubtask {
    /// The subtask.
    pub subtask_id: SubtaskId,
    /// Its type.
    pub task_type: String,
    /// How many others there are before it on the longest way to it.
    pub level: u32,
    /// Who does it, and when; `None` when it would not start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<ExpectedAttempt>,
    /// Why it would not start, or would fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Who is expected to do a subtask, and how it goes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ExpectedAttempt {
    /// The worker.
    pub worker: WorkerName,
    /// Who would be next, best first.
    pub fallback_workers: Vec<WorkerName>,
    /// How sure the router is, 0 to 1.
    pub confidence: f64,
    /// Why this worker, in a sentence.
    pub reasoning: String,
    /// When it starts, in milliseconds after the run's submission.
    pub starts_at_ms: u64,
    /// How long it takes, what it costs, and how that is known.
    pub estimate: Estimate,
    /// What memory knows of the worker at this type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<Expectation>,
}

/// Who takes part in a run that might be.
pub(crate) struct Cast<'a> {
    pub(crate) workers: &'a [Arc<dyn Worker>],
    pub(crate) policies: Policies,
    pub(crate) process_cap: u32,
}

/// What a run that might be is about.
pub(crate) struct Script<'a> {
    pub(crate) task: &'a ComplexTask,
    pub(crate) plan: &'a DecompositionPlan,
    pub(crate) settings: &'a RunSettings,
    pub(crate) memory: &'a MemorySnapshot,
    pub(crate) now: Timestamp,
}

/// Foretells a run of a valid plan.
pub(crate) fn forecast(cast: &Cast<'_>, script: &Script<'_>) -> Forecast {
    let plan = script.plan.expand_replicas();
    let usual = rehearse(cast, script, &plan, Length::Median);
    let slow = rehearse(cast, script, &plan, Length::Slow);
    let timed = with_estimates(&plan, &usual);
    let (remaining, path) = (timed.remaining_path(), timed.longest_path());
    let levels = plan.levels();
    let subtasks = expected(script, &plan, &levels, &usual);
    let estimates = || subtasks.iter().filter_map(|s| Some(&s.attempt.as_ref()?.estimate));
    let costs = || estimates().filter_map(|estimate| estimate.cost_micro_usd);
    Forecast {
        wall_ms: usual.wall_ms,
        slow_wall_ms: slow.wall_ms,
        most_at_once: usual.most_at_once,
        levels: level_sizes(&levels),
        longest_path_ms: path.first().map_or(0, |first| remaining[*first]),
        longest_path: path.iter().map(|place| plan.subtasks[*place].id.clone()).collect(),
        parallelism: timed.parallelism(),
        cost_micro_usd: costs().next().is_some().then(|| costs().fold(0, u64::saturating_add)),
        unpriced: number(subtasks.len() - costs().count()),
        guessed: number(estimates().filter(|estimate| estimate.basis == Basis::Guess).count()),
        ends_early: usual.ends_early,
        subtasks,
    }
}

/// The plan with what its attempts took in a rehearsal.
fn with_estimates(plan: &DecompositionPlan, course: &Course) -> DecompositionPlan {
    let mut plan = plan.clone();
    for (index, attempt) in &course.attempts {
        if let Some(subtask) = plan.subtasks.get_mut(index.get()) {
            Arc::make_mut(subtask).estimated_duration_ms = Some(attempt.estimate.duration_ms);
        }
    }
    plan
}

fn expected(
    script: &Script<'_>,
    plan: &DecompositionPlan,
    levels: &[usize],
    course: &Course,
) -> Vec<ExpectedSubtask> {
    let attempt = |attempt: &Attempt, task_type: &str| {
        let route = attempt.route.as_deref();
        ExpectedAttempt {
            worker: attempt.worker.clone(),
            fallback_workers: route.map(|route| route.fallback.clone()).unwrap_or_default(),
            confidence: route.map_or(0.0, |route| route.confidence),
            reasoning: route.map(|route| route.reason.clone()).unwrap_or_default(),
            starts_at_ms: attempt.starts_at_ms,
            estimate: attempt.estimate,
            record: script.memory.learned.expectation(&attempt.worker, task_type),
        }
    };
    let subtasks = plan.subtasks.iter().zip(levels).zip((0..).map(SubtaskIndex));
    subtasks
        .map(|((subtask, level), index)| ExpectedSubtask {
            subtask_id: subtask.id.clone(),
            task_type: subtask.task_type.clone(),
            level: number(*level),
            attempt: course.attempts.get(&index).map(|a| attempt(a, &subtask.task_type)),
            problem: course.failures.get(&index).cloned(),
        })
        .collect()
}

fn level_sizes(levels: &[usize]) -> Vec<u32> {
    let mut level_sizes = vec![0; levels.iter().max().map_or(0, |last| last + 1)];
    levels.iter().for_each(|level| level_sizes[*level] += 1);
    level_sizes
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
