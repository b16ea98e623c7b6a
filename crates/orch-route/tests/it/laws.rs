//! What holds for every pool of workers, load, history and constraint.

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_core::{
    Constraints, OutcomeCounts, Router, RoutingContext, RoutingStrategy, Subtask, Worker,
    WorkerName, fit,
};
use orch_route::WorkerRouter;
use proptest::prelude::*;
use proptest::sample::select;

use crate::worker::{Fake, pool};

const NAMES: [&str; 6] = ["w0", "w1", "w2", "w3", "w4", "w5"];
const TYPES: [&str; 3] = ["text", "code", "*"];

/// All that a router may look at.
#[derive(Clone)]
struct World {
    strategy: RoutingStrategy,
    workers: Vec<Arc<dyn Worker>>,
    loads: BTreeMap<WorkerName, f64>,
    outcome_counts: OutcomeCounts,
    constraints: Constraints,
    subtasks: Vec<Arc<Subtask>>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let workers: Vec<_> = self.workers.iter().map(|w| (w.name(), w.capabilities())).collect();
        write!(
            f,
            "{} {workers:?} {:?} {:?} {:?}",
            self.strategy, self.loads, self.constraints, self.subtasks
        )
    }
}

impl World {
    fn router(&self) -> WorkerRouter {
        WorkerRouter::new(self.strategy).expect("only available strategies are drawn")
    }

    fn context(&self) -> RoutingContext<'_> {
        RoutingContext::new(&self.workers, &self.loads, &self.outcome_counts)
            .with_constraints(Some(&self.constraints))
    }

    fn worker(&self, name: &WorkerName) -> &dyn Worker {
        &**self.workers.iter().find(|w| w.name() == name).expect("a known worker")
    }

    /// Tells whether a router may choose `worker`.
    fn is_eligible(&self, worker: &dyn Worker, subtask: &Subtask) -> bool {
        let standing = self.context().standing(worker.name(), &subtask.task_type);
        self.context().admits(worker) && fit(worker, subtask, &standing).score > 0.0
    }
}

/// Mostly sensible numbers, and every kind of nonsense.
fn numbers() -> impl Strategy<Value = f64> {
    prop_oneof![6 => 0.0..=1.0, 1 => any::<f64>(), 1 => select(vec![f64::NAN, f64::INFINITY, -0.0, 1.0, 2.0])]
}

fn fakes() -> impl Strategy<Value = Vec<Fake>> {
    let one = (select(&TYPES[..]), numbers(), 1..4_u32, proptest::option::weighted(0.3, numbers()));
    proptest::collection::vec(one, 0..=NAMES.len()).prop_map(|all| {
        let named = NAMES.iter().zip(all);
        named
            .map(|(name, (types, proficiency, slots, answer))| {
                let fake = Fake::new(name, types, proficiency).slots(slots);
                match answer {
                    Some(answer) => fake.answering(answer),
                    None => fake,
                }
            })
            .collect()
    })
}

fn some_names() -> impl Strategy<Value = Vec<WorkerName>> {
    proptest::collection::vec(select(&NAMES[..]).prop_map(WorkerName::from), 0..3)
}

fn constraints() -> impl Strategy<Value = Constraints> {
    let required = proptest::option::weighted(0.2, select(&NAMES[..]));
    let tags = proptest::option::weighted(0.2, select(&TYPES[..]));
    (required, some_names(), some_names(), tags).prop_map(|(required, excluded, preferred, tag)| {
        Constraints::new()
            .with_require_worker(required.map(WorkerName::from))
            .with_exclude_workers(excluded)
            .with_prefer(preferred)
            .with_tags(tag.map(str::to_owned).into_iter().collect::<Vec<_>>())
    })
}

fn worlds() -> impl Strategy<Value = World> {
    let loads = proptest::collection::btree_map(
        select(&NAMES[..]).prop_map(WorkerName::from),
        numbers(),
        0..6,
    );
    let outcomes =
        proptest::collection::vec((select(&NAMES[..]), select(&TYPES[..]), any::<bool>()), 0..12);
    let subtasks = proptest::collection::vec((select(&TYPES[..2]), 0..=100_u8), 1..8);
    let strategy = select(vec![
        RoutingStrategy::BestFit,
        RoutingStrategy::LeastLoaded,
        RoutingStrategy::RoundRobin,
    ]);
    (strategy, fakes(), loads, outcomes, constraints(), subtasks).prop_map(
        |(strategy, fakes, loads, outcomes, constraints, subtasks)| {
            let mut outcome_counts = OutcomeCounts::default();
            for (name, kind, success) in outcomes {
                outcome_counts.record(&name.into(), kind, success);
            }
            let subtasks = subtasks.into_iter().enumerate().map(|(i, (kind, priority))| {
                Arc::new(Subtask::new(format!("s{i}"), "do it", kind).with_priority(priority))
            });
            let subtasks = subtasks.collect();
            World { strategy, workers: pool(fakes), loads, outcome_counts, constraints, subtasks }
        },
    )
}

proptest! {
    #[test]
    fn the_choice_and_all_fallbacks_are_exactly_the_eligible_workers(world in worlds()) {
        let subtask = &world.subtasks[0];
        let mut eligible: Vec<_> = world
            .workers
            .iter()
            .filter(|w| world.is_eligible(&***w, subtask))
            .map(|w| w.name().clone())
            .collect();
        match world.router().route(subtask, &world.context()) {
            Ok(decision) => {
                let mut named = decision.fallback_workers.clone();
                named.push(decision.primary_worker.clone());
                named.sort();
                eligible.sort();
                prop_assert_eq!(named, eligible);
                prop_assert!(decision.confidence > 0.0 && decision.confidence <= 1.0);
                prop_assert!(!world.constraints.exclude_workers.contains(&decision.primary_worker));
                if let Some(required) = &world.constraints.require_worker {
                    prop_assert_eq!(required, &decision.primary_worker);
                }
            }
            Err(_) => prop_assert!(eligible.is_empty()),
        }
    }

    #[test]
    fn the_same_snapshot_gives_the_same_decisions(world in worlds()) {
        let again = world.clone();
        prop_assert_eq!(
            world.router().route(&world.subtasks[0], &world.context()),
            again.router().route(&again.subtasks[0], &again.context())
        );
        prop_assert_eq!(
            world.router().route_batch(&world.subtasks, &world.context()),
            again.router().route_batch(&again.subtasks, &again.context())
        );
    }

    #[test]
    fn a_preferred_worker_is_chosen_when_one_is_eligible(world in worlds()) {
        let subtask = &world.subtasks[0];
        let known = |name: &&WorkerName| world.workers.iter().any(|w| w.name() == *name);
        let first = world.constraints.prefer.iter().filter(known)
            .find(|name| world.is_eligible(world.worker(name), subtask));
        if let Some(first) = first {
            let decision = world.router().route(subtask, &world.context());
            prop_assert_eq!(&decision.unwrap().primary_worker, first);
        }
    }

    #[test]
    fn a_batch_never_takes_more_slots_than_are_free(world in worlds()) {
        let Ok(decisions) = world.router().route_batch(&world.subtasks, &world.context()) else {
            return Ok(());
        };
        let ids: Vec<_> = decisions.iter().map(|d| &d.subtask_id).collect();
        prop_assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "each at most once, in order");
        let mut taken: BTreeMap<&WorkerName, f64> = BTreeMap::new();
        for decision in &decisions {
            *taken.entry(&decision.primary_worker).or_default() += 1.0;
            prop_assert!(world.context().admits(world.worker(&decision.primary_worker)));
        }
        for (name, taken) in taken {
            let slots = f64::from(world.worker(name).max_concurrency().get());
            let load = world.loads.get(name).map_or(0.0, |load| load.clamp(0.0, 1.0));
            prop_assert!(!load.is_nan());
            prop_assert!(taken <= slots - (load * slots).round(), "{name} has {slots} slots, load {load}");
        }
    }
}
