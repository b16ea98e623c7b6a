//! Decisions about one subtask, case by case.

use std::collections::BTreeMap;

use orch_core::{
    Constraints, OutcomeCounts, RouteError, Router, RoutingContext, RoutingDecision,
    RoutingStrategy, Subtask, WorkerName,
};
use orch_route::{UnavailableStrategy, WorkerRouter};

use crate::worker::{Fake, pool};

/// A question to the router about subtask `s` of type `text`.
struct Question {
    strategy: RoutingStrategy,
    workers: Vec<Fake>,
    loads: BTreeMap<WorkerName, f64>,
    outcome_counts: OutcomeCounts,
    own: Option<Constraints>,
    outer: Option<Constraints>,
}

impl Question {
    fn new(strategy: RoutingStrategy, workers: impl IntoIterator<Item = Fake>) -> Self {
        Self {
            strategy,
            workers: workers.into_iter().collect(),
            loads: BTreeMap::new(),
            outcome_counts: OutcomeCounts::default(),
            own: None,
            outer: None,
        }
    }

    fn load(mut self, worker: &str, load: f64) -> Self {
        self.loads.insert(worker.into(), load);
        self
    }

    fn attempts(mut self, worker: &str, outcomes: &[bool]) -> Self {
        for success in outcomes {
            self.outcome_counts.record(&worker.into(), "text", *success);
        }
        self
    }

    fn outer(mut self, constraints: Constraints) -> Self {
        self.outer = Some(constraints);
        self
    }

    fn own(mut self, constraints: Constraints) -> Self {
        self.own = Some(constraints);
        self
    }

    fn ask(&self) -> Result<RoutingDecision, RouteError> {
        let workers = pool(self.workers.clone());
        let context = RoutingContext::new(&workers, &self.loads, &self.outcome_counts)
            .with_constraints(self.outer.as_ref());
        let subtask = Subtask::new("s", "write it", "text").with_constraints(self.own.clone());
        WorkerRouter::new(self.strategy).expect("available").route(&subtask, &context)
    }

    /// Checks the chosen worker and its fallbacks, in order.
    #[track_caller]
    fn ranks(&self, expected: &str) {
        let decision = self.ask().expect("somebody fits");
        let names: Vec<_> = std::iter::once(&decision.primary_worker)
            .chain(&decision.fallback_workers)
            .map(WorkerName::as_str)
            .collect();
        assert_eq!(names.join(" "), expected);
        assert_eq!(decision.subtask_id, "s");
    }

    #[track_caller]
    fn reasons(&self, expected: &str) {
        assert_eq!(self.ask().expect("somebody fits").reasoning, expected);
    }

    #[track_caller]
    fn finds_nobody(&self) {
        let expected = RouteError::NoWorker { subtask: "s".into(), task_type: "text".into() };
        assert_eq!(self.ask(), Err(expected));
    }
}

/// Three workers of growing proficiency at `text`.
fn three() -> [Fake; 3] {
    [Fake::new("a", "text", 0.5), Fake::new("b", "text", 0.7), Fake::new("c", "text", 0.9)]
}

#[test]
fn best_fit_weighs_proficiency_history_and_load() {
    let ask = || Question::new(RoutingStrategy::BestFit, three());
    ask().ranks("c b a");
    ask().load("c", 0.5).ranks("b a c"); // c: 0.45
    ask().attempts("c", &[false]).ranks("b a c"); // c: 0.45
    ask().attempts("c", &[true, true]).ranks("c b a");
    ask().load("c", 1.0).ranks("b a");
}

#[test]
fn equal_fits_go_to_the_lower_load_and_then_to_who_came_first() {
    let even = ["a", "b", "c"].map(|name| Fake::new(name, "text", 1.0).answering(0.5));
    let ask = || Question::new(RoutingStrategy::BestFit, even.clone());
    ask().ranks("a b c");
    ask().load("a", 0.2).load("b", 0.1).ranks("c b a");
    ask().load("a", f64::NAN).ranks("b c a");
    ask().load("a", -5.0).ranks("a b c");
}

#[test]
fn least_loaded_looks_at_load_then_fit() {
    let ask = || Question::new(RoutingStrategy::LeastLoaded, three());
    ask().ranks("c b a");
    ask().load("c", 0.2).load("b", 0.1).ranks("a b c");
}

#[test]
fn round_robin_gives_each_a_turn() {
    let ask = || Question::new(RoutingStrategy::RoundRobin, three());
    ask().ranks("a b c");
    ask().attempts("a", &[true]).ranks("b c a");
    ask().attempts("a", &[true]).attempts("b", &[true, true]).ranks("c a b");
    let two = three().map(|worker| worker.slots(2));
    // What is in flight counts as a turn.
    Question::new(RoutingStrategy::RoundRobin, two).load("a", 0.5).ranks("b c a");
}

#[test]
fn who_cannot_do_it_is_no_candidate() {
    let workers =
        [Fake::new("a", "code", 1.0), Fake::new("b", "text", 0.1), Fake::new("c", "text", 0.0)];
    for strategy in
        [RoutingStrategy::BestFit, RoutingStrategy::LeastLoaded, RoutingStrategy::RoundRobin]
    {
        Question::new(strategy, workers.clone()).ranks("b");
        Question::new(strategy, [workers[0].clone(), workers[2].clone()]).finds_nobody();
        Question::new(strategy, []).finds_nobody();
    }
}

#[test]
fn constraints_of_subtask_and_context_both_hold() {
    let ask = || Question::new(RoutingStrategy::BestFit, three());
    let without = |name: &str| Constraints::new().with_exclude_workers([name.into()]);
    let only = |name: &str| Constraints::new().with_require_worker(Some(name.into()));
    let tagged = |tag: &str| Constraints::new().with_tags([tag.to_owned()]);

    ask().outer(without("c")).ranks("b a");
    ask().own(without("c")).ranks("b a");
    ask().own(without("c")).outer(without("b")).ranks("a");
    ask().own(only("a")).ranks("a");
    ask().own(only("a")).outer(only("b")).ranks("a");
    ask().own(only("a")).outer(without("a")).finds_nobody();
    ask().outer(only("nobody")).finds_nobody();
    ask().outer(tagged("text")).ranks("c b a");
    ask().own(tagged("prose")).finds_nobody();
}

#[test]
fn preferred_workers_go_first_as_long_as_they_are_able() {
    let prefer = |names: &[&str]| {
        Constraints::new()
            .with_prefer(names.iter().map(|n| WorkerName::from(*n)).collect::<Vec<_>>())
    };
    for strategy in
        [RoutingStrategy::BestFit, RoutingStrategy::LeastLoaded, RoutingStrategy::RoundRobin]
    {
        let ask = || Question::new(strategy, three());
        ask().own(prefer(&["b", "missing", "a"])).ranks("b a c");
        ask().outer(prefer(&["b"])).load("b", 1.0).load("a", 0.5).ranks("c a");
        ask().own(prefer(&["a"])).outer(prefer(&["b"])).ranks("a b c");
    }
}

#[test]
fn a_nonsense_answer_is_left_out_and_named() {
    for (answer, shown) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (-0.5, "-0.5"), (1.5, "1.5")]
    {
        let workers = [Fake::new("a", "text", 1.0).answering(answer), Fake::new("b", "text", 0.7)];
        let question = Question::new(RoutingStrategy::BestFit, workers);
        question.ranks("b");
        question.reasons(&format!(
            "best fit: `b` with 0.70 (proficiency 0.70 at `text`, success 1.00, load 0.00), nobody else fits; `a` is left \
             out, its can_handle returned {shown}, which is not from 0 to 1"
        ));
    }
}

#[test]
fn the_reason_names_what_the_strategy_compared() {
    Question::new(RoutingStrategy::BestFit, three()).load("c", 0.25).reasons(
        "best fit: `b` with 0.70 (proficiency 0.70 at `text`, success 1.00, load 0.00), ahead of `c` with 0.68 and 1 more",
    );
    Question::new(RoutingStrategy::LeastLoaded, three()).load("c", 0.25).reasons(
        "least loaded: `b` with load 0.00 (proficiency 0.70 at `text`, success 1.00, load 0.00), ahead of `a` with load \
         0.00 and 1 more",
    );
    Question::new(RoutingStrategy::RoundRobin, three()).attempts("a", &[true, false]).reasons(
        "next in turn: `b` with 0 turns so far (proficiency 0.70 at `text`, success 1.00, load 0.00), ahead of `c` with 0 \
         turns so far and 1 more",
    );
    Question::new(RoutingStrategy::BestFit, three())
        .attempts("a", &[true, false])
        .own(Constraints::new().with_prefer(["a".into()]))
        .reasons(
            "best fit: `a` with 0.33 (proficiency 0.50 at `text`, success 0.67, load 0.00, preferred), ahead of `c` with \
             0.90 and 1 more",
        );
    Question::new(RoutingStrategy::BestFit, [Fake::new("a", "code", 1.0).answering(0.4)]).reasons(
        "best fit: `a` with 0.40 (no capability for `text`, but its can_handle takes it, success 1.00, load 0.00), nobody \
         else fits",
    );
}

#[test]
fn confidence_is_the_fit_of_the_chosen_worker() {
    let question = Question::new(RoutingStrategy::RoundRobin, three()).load("a", 0.2);
    assert_eq!(question.ask().unwrap().confidence, 0.4);
}

#[test]
fn what_needs_a_memory_is_refused_and_not_replaced() {
    let refused = WorkerRouter::new(RoutingStrategy::MemoryInformed).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "routing strategy `memory_informed` is not available here; available: best_fit, least_loaded, round_robin"
    );
    let UnavailableStrategy { strategy, available, .. } = refused;
    assert_eq!(strategy, RoutingStrategy::MemoryInformed);
    for name in available {
        assert!(WorkerRouter::new(name.parse().unwrap()).is_ok(), "{name}");
    }
}

#[test]
fn the_default_takes_the_best_fit() {
    let (workers, loads, outcome_counts) =
        (pool(three()), BTreeMap::new(), OutcomeCounts::default());
    let context = RoutingContext::new(&workers, &loads, &outcome_counts);
    let decision = WorkerRouter::default().route(&Subtask::new("s", "write", "text"), &context);
    assert_eq!(decision.unwrap().primary_worker, "c");
}
