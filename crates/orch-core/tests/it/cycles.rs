//! Laws of the plan's graph, against the simplest other way to find the same.

use std::collections::HashSet;

use orch_core::{DecompositionPlan, PlanIssue, Subtask};
use proptest::collection::vec;
use proptest::prelude::*;

/// Any graph of up to 12 subtasks: dependencies on oneself, on unknown ones and repeated ones are left to other tests.
fn plans() -> impl Strategy<Value = DecompositionPlan> {
    vec(
        (vec(any::<proptest::sample::Index>(), 0..4), 1_u32..4, proptest::option::of(0_u64..5_000)),
        1..12,
    )
    .prop_map(|rows| {
        let count = rows.len();
        DecompositionPlan::new(rows.into_iter().enumerate().map(
            |(place, (needs, replicas, estimate))| {
                let needs: HashSet<_> =
                    needs.iter().map(|n| n.index(count)).filter(|n| *n != place).collect();
                let mut needs: Vec<_> = needs.into_iter().map(|n| format!("s{n}")).collect();
                needs.sort();
                Subtask::new(format!("s{place}"), "", "")
                    .with_dependencies(needs)
                    .with_replicas(replicas)
                    .with_estimated_duration_ms(estimate)
            },
        ))
    })
}

/// The same, without cycles: each depends on earlier ones only.
fn acyclic_plans() -> impl Strategy<Value = DecompositionPlan> {
    plans().prop_map(|plan| {
        DecompositionPlan::new(plan.subtasks.iter().enumerate().map(|(place, subtask)| {
            let mut subtask = Subtask::clone(subtask);
            subtask
                .dependencies
                .retain(|id| id.as_str()[1..].parse::<usize>().is_ok_and(|n| n < place));
            subtask
        }))
    })
}

/// Kahn: takes away subtasks whose dependencies are gone, again and again; what stays is in or behind a cycle.
fn is_acyclic(plan: &DecompositionPlan) -> bool {
    let mut done = HashSet::new();
    loop {
        let before = done.len();
        for subtask in &plan.subtasks {
            if subtask.dependencies.iter().all(|id| done.contains(id)) {
                done.insert(subtask.id.clone());
            }
        }
        if done.len() == before {
            return before == plan.subtasks.len();
        }
    }
}

fn cycles(plan: &DecompositionPlan) -> Vec<Vec<String>> {
    plan.validate_shape()
        .into_iter()
        .map(|issue| {
            let PlanIssue::Cycle { subtasks } = issue else { panic!("unexpected: {issue}") };
            subtasks.iter().map(ToString::to_string).collect()
        })
        .collect()
}

/// The longest way from `place` through those that depend on it, by trying all.
fn longest_from(plan: &DecompositionPlan, place: usize) -> u64 {
    let here = &plan.subtasks[place];
    let next =
        (0..plan.subtasks.len()).filter(|n| plan.subtasks[*n].dependencies.contains(&here.id));
    here.estimated_duration_ms.unwrap_or(1_000)
        + next.map(|n| longest_from(plan, n)).max().unwrap_or(0)
}

proptest! {
    #[test]
    fn a_cycle_is_reported_exactly_when_there_is_one(plan in plans()) {
        prop_assert_eq!(cycles(&plan).is_empty(), is_acyclic(&plan));
    }

    #[test]
    fn every_reported_cycle_is_one(plan in plans()) {
        let needs = |a: &str, b: &str| {
            plan.subtasks.iter().any(|s| s.id == a && s.dependencies.iter().any(|d| *d == b))
        };
        for cycle in cycles(&plan) {
            prop_assert!(cycle.len() > 1);
            prop_assert_eq!(cycle.iter().collect::<HashSet<_>>().len(), cycle.len(), "each once");
            for (n, name) in cycle.iter().enumerate() {
                prop_assert!(needs(name, &cycle[(n + 1) % cycle.len()]), "{:?}", cycle);
            }
        }
    }

    #[test]
    fn expanding_replicas_makes_and_breaks_no_cycle(plan in plans()) {
        let expanded = plan.expand_replicas();
        prop_assert_eq!(is_acyclic(&expanded), is_acyclic(&plan));
        let wanted: u32 = plan.subtasks.iter().map(|s| s.replicas).sum();
        prop_assert_eq!(expanded.subtasks.len(), wanted as usize);
        prop_assert!(expanded.subtasks.iter().all(|s| s.replicas == 1));
        let ids: HashSet<_> = expanded.subtasks.iter().map(|s| &s.id).collect();
        prop_assert_eq!(ids.len(), wanted as usize, "ids stay distinct");
        prop_assert!(expanded.subtasks.iter().flat_map(|s| &s.dependencies).all(|d| ids.contains(d)));
    }

    #[test]
    fn remaining_paths_are_the_longest(plan in acyclic_plans()) {
        let expected: Vec<_> = (0..plan.subtasks.len()).map(|n| longest_from(&plan, n)).collect();
        prop_assert_eq!(plan.remaining_path(), expected.clone());
        let total: u64 = plan.subtasks.iter().map(|s| s.estimated_duration_ms.unwrap_or(1_000)).sum();
        let longest = expected.into_iter().max().unwrap_or(0);
        let factor = if longest == 0 { 1.0 } else { total as f64 / longest as f64 };
        prop_assert!((plan.parallelism() - factor).abs() < 1e-9);
        prop_assert!(plan.parallelism() >= 1.0);
    }

    #[test]
    fn plans_come_back_from_their_json(plan in plans()) {
        let text = serde_json::to_string(&plan).unwrap();
        prop_assert_eq!(serde_json::from_str::<DecompositionPlan>(&text).unwrap(), plan);
    }
}

#[test]
fn paths_of_cycles_and_huge_estimates_are_finite() {
    let ring = DecompositionPlan::new([
        Subtask::new("a", "", "").with_dependencies(["b"]),
        Subtask::new("b", "", "").with_dependencies(["a"]),
    ]);
    assert_eq!(ring.remaining_path().len(), 2);
    let huge = DecompositionPlan::new([
        Subtask::new("a", "", "").with_estimated_duration_ms(u64::MAX),
        Subtask::new("b", "", "").with_estimated_duration_ms(u64::MAX).with_dependencies(["a"]),
    ]);
    assert_eq!(huge.remaining_path(), [u64::MAX, u64::MAX]);
    let none = DecompositionPlan::new(Vec::<Subtask>::new());
    assert_eq!((none.remaining_path(), none.parallelism()), (vec![], 1.0));
}
