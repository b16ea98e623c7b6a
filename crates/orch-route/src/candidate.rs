//! Who could do a subtask, and how the candidates compare.

use std::cmp::Ordering;

use orch_core::{Constraints, RoutingContext, Standing, Subtask, Worker, WorkerName, fit};

use crate::strategy::Order;

/// A worker that is there, admitted and able.
pub(crate) struct Candidate<'a> {
    pub(crate) worker: &'a dyn Worker,
    /// How well it fits, above 0, at most 1.
    pub(crate) score: f64,
    pub(crate) standing: Standing,
    /// Attempts that it has finished in this run, and those that it is at.
    pub(crate) turns: u64,
    /// Its place among the preferred workers; `usize::MAX` when it is not one.
    preference: usize,
}

/// What was found among the available workers.
pub(crate) struct Ranking<'a> {
    /// The candidates, best first.
    pub(crate) candidates: Vec<Candidate<'a>>,
    /// Workers whose `can_handle` returned nonsense, and what it returned.
    pub(crate) invalid: Vec<(&'a WorkerName, f64)>,
}

impl<'a> Ranking<'a> {
    /// Asks every admitted worker how well it fits. `context` carries all constraints that hold.
    pub(crate) fn new(order: Order, subtask: &Subtask, context: &RoutingContext<'a>) -> Self {
        let mut ranking = Self { candidates: Vec::new(), invalid: Vec::new() };
        for worker in context.available_workers {
            let worker = &**worker;
            if !context.admits(worker) {
                continue;
            }
            let standing = context.standing(worker.name(), &subtask.task_type);
            let fit = fit(worker, subtask, &standing);
            if let Some(returned) = fit.invalid {
                ranking.invalid.push((worker.name(), returned));
            } else if fit.score > 0.0 {
                ranking.candidates.push(Candidate {
                    worker,
                    score: fit.score,
                    standing,
                    turns: context.outcome_counts.attempts(worker.name())
                        + u64::from(busy(worker, standing.load)),
                    preference: preference(worker.name(), context.constraints),
                });
            }
        }
        // A stable sort: of equals, the one that was registered first stays first.
        ranking.candidates.sort_by(|a, b| a.compare(b, order));
        ranking
    }
}

impl Candidate<'_> {
    pub(crate) fn is_preferred(&self) -> bool {
        self.preference != usize::MAX
    }

    /// Preferred workers go first whatever the order; less is better.
    fn compare(&self, other: &Self, order: Order) -> Ordering {
        let by_score = || other.score.total_cmp(&self.score);
        let by_load = || bounded(self.standing.load).total_cmp(&bounded(other.standing.load));
        self.preference.cmp(&other.preference).then_with(|| match order {
            Order::BestFit => by_score().then_with(by_load),
            Order::LeastLoaded => by_load().then_with(by_score),
            Order::RoundRobin => self.turns.cmp(&other.turns),
        })
    }
}

/// Returns how many of the worker's slots are taken, given its load.
pub(crate) fn busy(worker: &dyn Worker, load: f64) -> u32 {
    let slots = worker.max_concurrency().get();
    // At most `slots`, so the cast is exact.
    (bounded(load) * f64::from(slots)).round() as u32
}

/// A load that is no number counts as full.
fn bounded(load: f64) -> f64 {
    if load.is_nan() { 1.0 } else { load.clamp(0.0, 1.0) }
}

fn preference(worker: &WorkerName, constraints: Option<&Constraints>) -> usize {
    let preferred = constraints.map_or(&[][..], |constraints| &constraints.prefer);
    preferred.iter().position(|name| name == worker).unwrap_or(usize::MAX)
}
