//! Plans of 100,000 subtasks: nothing takes quadratic time or deep recursion. Every one of these would take minutes, or
//! overflow the stack, if it did.

use orch_core::{DecompositionPlan, PlanIssue, PlanLimits, Subtask};

use crate::support::team;

const COUNT: usize = 100_000;
const LIMITS: PlanLimits = PlanLimits { max_subtasks: COUNT };

fn plan(needs: impl Fn(usize) -> Option<usize>) -> DecompositionPlan {
    DecompositionPlan::new((0..COUNT).map(|n| {
        let needs = needs(n).map(|n| format!("subtask-{n}"));
        Subtask::new(format!("subtask-{n}"), "", "general").with_dependencies(needs)
    }))
}

#[test]
fn a_long_chain_is_checked_and_measured() {
    let chain = plan(|n| n.checked_sub(1));
    let workers = team(&[("w", &["general"])]);
    assert_eq!(chain.validate_within(&workers, LIMITS, None), []);
    let path = chain.remaining_path();
    assert_eq!((path[0], path[COUNT - 1]), (COUNT as u64 * 1_000, 1_000));
    assert!((chain.parallelism() - 1.0).abs() < 1e-9);
    assert_eq!(chain.expand_replicas(), chain);
    assert_eq!(chain.validate(&workers), [PlanIssue::TooMany { count: COUNT, max: 10_000 }]);
}

#[test]
fn a_cycle_of_all_is_named_whole() {
    let ring = plan(|n| Some((n + 1) % COUNT));
    let issues = ring.validate_shape();
    assert!(matches!(&issues[..], [PlanIssue::Cycle { subtasks }] if subtasks.len() == COUNT));
}

#[test]
fn a_plan_in_which_everything_is_wrong_is_checked() {
    let broken = plan(|n| Some(n + COUNT));
    let workers = team(&[("w", &["other"]), ("x", &["genera1"])]);
    let issues = broken.validate_within(&workers, LIMITS, None);
    assert_eq!(issues.len(), 2 * COUNT);
    assert!(
        issues[0].to_string().contains("did you mean") || issues[0].to_string().contains("add it")
    );
}

#[test]
fn a_fan_into_one_is_checked() {
    let mut fan = plan(|_| None);
    let all: Vec<_> = fan.subtasks.iter().map(|s| s.id.clone()).collect();
    fan.subtasks.push(
        Subtask::new("join", "", "general")
            .with_tolerates(all.clone())
            .with_dependencies(all)
            .into(),
    );
    assert_eq!(fan.validate_shape(), []);
    assert_eq!(fan.remaining_path()[0], 2_000);
    assert!((fan.parallelism() - (COUNT + 1) as f64 / 2.0).abs() < 1e-6);
}
