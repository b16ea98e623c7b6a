//! Routing: which worker gets a subtask.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::setters::setters;
use crate::words::words;
use crate::{Constraints, Standing, Subtask, SubtaskId, Worker, WorkerName};

words! {
    /// How a worker is chosen.
    pub enum RoutingStrategy as "routing strategy" {
        /// The best capability match.
        BestFit = "best_fit",
        /// The least busy.
        LeastLoaded = "least_loaded",
        /// Each in turn.
        RoundRobin = "round_robin",
        /// By what memory knows of earlier outcomes.
        MemoryInformed = "memory_informed",
    }
}

/// What a router may look at. Everything in it is a snapshot.
///
/// ```
/// use std::collections::BTreeMap;
/// use orch_core::{RoutingContext, OutcomeCounts, WorkerName};
///
/// let victor = WorkerName::new("victor");
/// let mut outcome_counts = OutcomeCounts::default();
/// outcome_counts.record(&victor, "api_testing", false);
/// let loads = BTreeMap::from([(victor.clone(), 0.25)]);
/// let standing = RoutingContext::new(&[], &loads, &outcome_counts).standing(&victor, "api_testing");
/// assert_eq!((standing.success, standing.load), (0.5, 0.25));
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct RoutingContext<'a> {
    /// Workers that could start now, in order of registration.
    pub available_workers: &'a [Arc<dyn Worker>],
    /// How busy each worker is, 0 to 1; absent means idle.
    pub worker_loads: &'a BTreeMap<WorkerName, f64>,
    /// What the run itself has seen of each worker.
    pub outcome_counts: &'a OutcomeCounts,
    /// What memory knows of each worker from earlier runs.
    pub history: Option<&'a OutcomeCounts>,
    /// How much time is left, in milliseconds.
    pub time_budget_ms: Option<u64>,
    /// The subtask's and the task's constraints, combined.
    pub constraints: Option<&'a Constraints>,
}

impl<'a> RoutingContext<'a> {
    /// Makes a context without time budget and constraints.
    pub fn new(
        available_workers: &'a [Arc<dyn Worker>],
        worker_loads: &'a BTreeMap<WorkerName, f64>,
        outcome_counts: &'a OutcomeCounts,
    ) -> Self {
        Self {
            available_workers,
            worker_loads,
            outcome_counts,
            history: None,
            time_budget_ms: None,
            constraints: None,
        }
    }

    /// Sets what memory knows of each worker.
    #[must_use]
    pub fn with_history(mut self, history: Option<&'a OutcomeCounts>) -> Self {
        self.history = history;
        self
    }

    /// Sets the constraints.
    #[must_use]
    pub fn with_constraints(mut self, constraints: Option<&'a Constraints>) -> Self {
        self.constraints = constraints;
        self
    }

    /// Sets how much time is left, in milliseconds.
    #[must_use]
    pub fn with_time_budget_ms(mut self, time_budget_ms: Option<u64>) -> Self {
        self.time_budget_ms = time_budget_ms;
        self
    }

    /// Returns how `worker` stands with regard to `task_type`: by the run's own outcome counts and by memory, together.
    pub fn standing(&self, worker: &WorkerName, task_type: &str) -> Standing {
        let remembered =
            self.history.map(|history| history.counts(worker, task_type)).unwrap_or_default();
        Standing::new(
            self.outcome_counts.counts(worker, task_type).plus(remembered).success_rate(),
            self.worker_loads.get(worker).copied().unwrap_or(0.0),
        )
        .with_required(self.constraints.is_some_and(|constraints| constraints.requires(worker)))
    }

    /// Tells whether the constraints admit `worker`.
    pub fn admits(&self, worker: &dyn Worker) -> bool {
        self.constraints.is_none_or(|constraints| constraints.admits(worker))
    }
}

/// Which worker gets a subtask, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RoutingDecision {
    /// The subtask.
    pub subtask_id: SubtaskId,
    /// The worker that gets it.
    pub primary_worker: WorkerName,
    /// Who would be next, best first.
    pub fallback_workers: Vec<WorkerName>,
    /// How sure the router is, 0 to 1.
    pub confidence: f64,
    /// Why, in a sentence.
    pub reasoning: String,
}

impl RoutingDecision {
    /// Makes a decision of full confidence without fallbacks.
    pub fn new(
        subtask_id: impl Into<SubtaskId>,
        primary_worker: impl Into<WorkerName>,
        reasoning: impl Into<String>,
    ) -> Self {
        Self {
            subtask_id: subtask_id.into(),
            primary_worker: primary_worker.into(),
            fallback_workers: Vec::new(),
            confidence: 1.0,
            reasoning: reasoning.into(),
        }
    }
}

setters! { RoutingDecision {
    /// Sets who would be next, best first.
    with_fallback_workers => fallback_workers: Vec<WorkerName>,
    /// Sets how sure the router is, 0 to 1.
    with_confidence => confidence: f64,
} }

/// Chooses workers. Synchronous and pure: it works on a snapshot, and the engine records its decision.
pub trait Router: Send + Sync + 'static {
    /// Chooses a worker for `subtask` among `context.available_workers`.
    ///
    /// # Errors
    /// When none of them fits.
    fn route(
        &self,
        subtask: &Subtask,
        context: &RoutingContext<'_>,
    ) -> Result<RoutingDecision, RouteError>;

    /// Chooses workers for several subtasks; the default routes each by itself.
    ///
    /// # Errors
    /// When one of them fits none.
    fn route_batch(
        &self,
        subtasks: &[Arc<Subtask>],
        context: &RoutingContext<'_>,
    ) -> Result<Vec<RoutingDecision>, RouteError> {
        subtasks.iter().map(|subtask| self.route(subtask, context)).collect()
    }
}

/// Why no worker was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RouteError {
    /// None of the available workers fits.
    #[error("no available worker fits subtask `{subtask}` of type `{task_type}`")]
    NoWorker {
        /// The subtask.
        subtask: SubtaskId,
        /// Its type.
        task_type: String,
    },
}

/// How each worker did at each type of subtask: attempts, and what they were worth. A commutative sum, cheap to keep.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutcomeCounts {
    by_worker: BTreeMap<WorkerName, BTreeMap<Arc<str>, TypeCounts>>,
}

/// In thousandths, as remembered attempts weigh less the older they are; whole numbers, so that sums do not depend on their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct TypeCounts {
    tried: u64,
    worth: u64,
}

/// One attempt in a [`TypeCounts`].
const WHOLE: f64 = 1e3;

impl TypeCounts {
    fn plus(self, other: Self) -> Self {
        Self {
            tried: self.tried.saturating_add(other.tried),
            worth: self.worth.saturating_add(other.worth),
        }
    }

    fn success_rate(self) -> f64 {
        (self.worth as f64 + WHOLE) / (self.tried as f64 + WHOLE)
    }
}

impl OutcomeCounts {
    /// Counts one finished attempt.
    pub fn record(&mut self, worker: &WorkerName, task_type: &str, success: bool) {
        self.add(worker, task_type, 1.0, f64::from(u8::from(success)));
    }

    /// Counts `attempts` finished attempts that were worth `worth` together, each 0 (failed, or no good) to 1. Both are rounded
    /// to thousandths; `worth` is at most `attempts`, and what is no number or negative counts as 0.
    pub fn add(&mut self, worker: &WorkerName, task_type: &str, attempts: f64, worth: f64) {
        if !self.by_worker.contains_key(worker) {
            self.by_worker.insert(worker.clone(), BTreeMap::new());
        }
        let Some(types) = self.by_worker.get_mut(worker) else { return };
        let counts = match types.get_mut(task_type) {
            Some(counts) => counts,
            None => types.entry(task_type.into()).or_default(),
        };
        // The casts saturate, and make 0 of what is no number.
        let tried = (attempts * WHOLE).round() as u64;
        let worth = ((worth * WHOLE).round() as u64).min(tried);
        *counts = counts.plus(TypeCounts { tried, worth });
    }

    /// Returns (worth + 1) / (attempts + 1): 1 for a worker never tried, and slow to forgive.
    pub fn success_rate(&self, worker: &WorkerName, task_type: &str) -> f64 {
        self.counts(worker, task_type).success_rate()
    }

    fn counts(&self, worker: &WorkerName, task_type: &str) -> TypeCounts {
        self.by_worker
            .get(worker)
            .and_then(|types| types.get(task_type))
            .copied()
            .unwrap_or_default()
    }

    /// Returns how many attempts `worker` has finished, of any type.
    pub fn attempts(&self, worker: &WorkerName) -> u64 {
        let tried = |types: &BTreeMap<Arc<str>, TypeCounts>| {
            types.values().fold(TypeCounts::default(), |sum, counts| sum.plus(*counts)).tried
        };
        self.by_worker.get(worker).map_or(0, tried).div_euclid(WHOLE as u64)
    }
}
