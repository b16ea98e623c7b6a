//! Decisions about several subtasks at once, case by case.

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_core::{
    Constraints, OutcomeCounts, RouteError, Router, RoutingContext, RoutingStrategy, Subtask,
    WorkerName,
};
use orch_route::WorkerRouter;

use crate::worker::{Fake, pool};

fn subtask(id: &str) -> Subtask {
    Subtask::new(id, "write it", "text")
}

/// Routes the batch and returns `subtask>worker` for each decision.
fn route(
    strategy: RoutingStrategy,
    workers: &[Fake],
    loads: &[(&str, f64)],
    subtasks: impl IntoIterator<Item = Subtask>,
) -> Result<String, RouteError> {
    let workers = pool(workers.iter().cloned());
    let loads: BTreeMap<WorkerName, f64> =
        loads.iter().map(|(name, load)| ((*name).into(), *load)).collect();
    let subtasks: Vec<Arc<Subtask>> = subtasks.into_iter().map(Arc::new).collect();
    let outcome_counts = OutcomeCounts::default();
    let context = RoutingContext::new(&workers, &loads, &outcome_counts);
    let router = WorkerRouter::new(strategy).expect("available");
    let decisions = router.route_batch(&subtasks, &context)?;
    let pairs: Vec<_> =
        decisions.iter().map(|d| format!("{}>{}", d.subtask_id, d.primary_worker)).collect();
    Ok(pairs.join(" "))
}

#[test]
fn a_batch_fills_the_free_slots_and_leaves_the_rest_out() {
    let workers = [Fake::new("a", "text", 0.9).slots(2), Fake::new("b", "text", 0.3)];
    let four = || ["p", "q", "r", "s"].map(subtask);
    let best_fit = |loads: &[(&str, f64)]| route(RoutingStrategy::BestFit, &workers, loads, four());
    assert_eq!(best_fit(&[]).unwrap(), "p>a q>a r>b");
    assert_eq!(best_fit(&[("a", 0.5)]).unwrap(), "p>a q>b");
    assert_eq!(best_fit(&[("a", 1.0), ("b", 0.4)]).unwrap(), "p>b");
}

#[test]
fn choices_count_in_the_load_of_later_ones() {
    let workers = [Fake::new("a", "text", 0.9).slots(4), Fake::new("b", "text", 0.8).slots(4)];
    for strategy in
        [RoutingStrategy::BestFit, RoutingStrategy::LeastLoaded, RoutingStrategy::RoundRobin]
    {
        let four = ["p", "q", "r", "s"].map(subtask);
        assert_eq!(route(strategy, &workers, &[], four).unwrap(), "p>a q>b r>a s>b", "{strategy}");
    }
}

#[test]
fn higher_priority_chooses_first_and_the_answer_keeps_the_given_order() {
    let workers = [Fake::new("a", "text", 0.9), Fake::new("b", "text", 0.3)];
    let batch = [subtask("p"), subtask("q").with_priority(90), subtask("r").with_priority(60)];
    assert_eq!(route(RoutingStrategy::BestFit, &workers, &[], batch).unwrap(), "q>a r>b");
    let batch = [subtask("p"), subtask("q").with_priority(90)];
    assert_eq!(route(RoutingStrategy::BestFit, &workers, &[], batch).unwrap(), "p>b q>a");
}

#[test]
fn each_subtask_keeps_its_own_constraints() {
    let workers = [Fake::new("a", "text", 0.9).slots(2), Fake::new("b", "text", 0.3)];
    let only_b = Constraints::new().with_require_worker(Some("b".into()));
    let batch = [
        subtask("p"),
        subtask("q").with_constraints(only_b.clone()),
        subtask("r").with_constraints(only_b),
    ];
    assert_eq!(route(RoutingStrategy::BestFit, &workers, &[], batch).unwrap(), "p>a q>b");
}

#[test]
fn a_subtask_that_fits_nobody_fails_the_batch() {
    let workers = [Fake::new("a", "text", 0.9)];
    let batch = [subtask("p"), Subtask::new("q", "compile it", "code")];
    let expected = RouteError::NoWorker { subtask: "q".into(), task_type: "code".into() };
    assert_eq!(route(RoutingStrategy::BestFit, &workers, &[], batch), Err(expected));
    assert_eq!(route(RoutingStrategy::BestFit, &workers, &[], []).unwrap(), "");
}
