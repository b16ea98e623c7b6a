//! A given plan, case by case.

use orch_core::{
    Constraints, DecomposeError, DecompositionPlan, DecompositionStrategy, PlanIssue, PlanSource,
    Subtask, TaskId,
};
use orch_decompose::TaskDecomposer;

use crate::world::{World, shape, worker};

fn world() -> World {
    World::new(DecompositionStrategy::CapabilityBased, "whatever", "count")
}

fn plan(subtasks: impl IntoIterator<Item = Subtask>) -> DecompositionPlan {
    DecompositionPlan::new(subtasks)
}

#[track_caller]
fn complete(world: &World, given: &DecompositionPlan) -> DecompositionPlan {
    world.ask(Some(given)).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_complete_plan_is_not_touched() {
    let subtask = |id: &str| {
        Subtask::new(id, id, "count").with_parent_task_id("other").with_estimated_duration_ms(5)
    };
    let given = plan([subtask("a"), subtask("b").with_dependencies(["a"])])
        .with_estimated_total_duration_ms(7u64)
        .with_confidence(0.3)
        .with_source(PlanSource::Planner)
        .with_notes(vec!["mine".to_owned()]);
    assert_eq!(complete(&world(), &given), given);
    let wide = plan([subtask("a"), subtask("b")])
        .with_estimated_total_duration_ms(7u64)
        .with_parallelism_factor(1.5);
    assert_eq!(complete(&world(), &wide), wide);
}

#[test]
fn missing_types_are_inferred_as_somebody_can_do_them() {
    let given = plan([
        Subtask::new("a", "Test the login", ""),
        Subtask::new("b", "Call the API", ""),
        Subtask::new("c", "Sing", ""),
        Subtask::new("d", "Test it", "fetch"),
    ])
    .with_parallelism_factor(4.0);
    let tester = "tester | testing";
    let mut with_tester = world();
    with_tester.workers.push(worker(tester));
    let completed = complete(&with_tester, &given);
    assert_eq!(shape(&completed), "a:testing b:count c:count d:fetch");
    assert_eq!(
        completed.notes,
        [
            "task_type was missing and inferred for `a` (testing), `b` (count), `c` (count)",
            "parent_task_id was missing and set for `a`, `b`, `c`, `d`",
        ]
    );
    // Nobody handles the task's type: the general one is the last resort.
    let general =
        World::new(DecompositionStrategy::Hybrid, "x", "research").workers(&["g | general"]);
    assert_eq!(shape(&complete(&general, &plan([Subtask::new("a", "Sing", "")]))), "a:general");
    // Nobody handles any of them: the issue names the likeliest.
    let nobody = World::new(DecompositionStrategy::Hybrid, "x", "research").workers(&["p | paint"]);
    let Err(DecomposeError::Invalid(issues)) =
        nobody.ask(Some(&plan([Subtask::new("a", "Sing", "")])))
    else {
        panic!("nobody can do it")
    };
    assert!(
        matches!(&issues[..], [PlanIssue::Unservable { task_type, .. }] if task_type == "research")
    );
}

#[test]
fn a_missing_type_is_one_whose_workers_are_admitted() {
    let preferring = Constraints::new().with_prefer(["tester".into()]);
    let given = plan([Subtask::new("a", "Test it", "").with_constraints(preferring)]);
    let with_tester = || world().workers(&["tester | testing", "counter | count"]);
    assert_eq!(shape(&complete(&with_tester(), &given)), "a:testing");
    let without = Constraints::new().with_exclude_workers(["tester".into()]);
    assert_eq!(shape(&complete(&with_tester().constraints(without), &given)), "a:count");
}

#[test]
fn missing_parents_are_set_and_given_ones_stay() {
    let given = plan([
        Subtask::new("a", "a", "count"),
        Subtask::new("b", "b", "count").with_parent_task_id("mine").with_dependencies(["a"]),
    ]);
    let completed = complete(&world(), &given);
    let parents: Vec<_> = completed.subtasks.iter().map(|s| s.parent_task_id.clone()).collect();
    assert_eq!(parents, [TaskId::from("t"), TaskId::from("mine")]);
    assert_eq!(completed.notes, ["parent_task_id was missing and set for `a`"]);
}

#[test]
fn missing_estimates_are_the_median_of_the_given_ones() {
    let estimated = |id: &str, ms| Subtask::new(id, id, "count").with_estimated_duration_ms(ms);
    let given = plan([
        estimated("a", 100),
        estimated("b", 900).with_dependencies(["a"]),
        Subtask::new("c", "c", "count").with_dependencies(["a"]),
        estimated("d", 300),
    ]);
    let completed = complete(&world(), &given);
    assert_eq!(completed.subtasks[2].estimated_duration_ms, Some(300));
    assert_eq!(completed.estimated_total_duration_ms, 1_000);
    assert_eq!(completed.parallelism_factor, 1.6);
    assert_eq!(
        completed.notes[1..],
        [
            "estimated_duration_ms was missing and set to 300, the median of the others, for `c`",
            "estimated_total_duration_ms was missing; the longest path takes 1000",
            "parallelism_factor was 1; the dependencies allow 1.60",
        ]
    );
}

#[test]
fn without_any_estimate_none_is_made_up() {
    let completed = complete(&world(), &plan([Subtask::new("a", "a", "count")]));
    assert_eq!(completed.subtasks[0].estimated_duration_ms, None);
    assert_eq!(completed.estimated_total_duration_ms, 0);
}

#[test]
fn replicas_count_as_parallel() {
    let given = plan([Subtask::new("a", "a", "count").with_replicas(2u32)]);
    let two = world().workers(&["x | count", "y | count"]);
    assert_eq!(complete(&two, &given).parallelism_factor, 2.0);
}

#[test]
fn more_replicas_than_allowed_are_refused_before_any_is_made() {
    let replicas = |count: u32| Subtask::new("a", "a", "count").with_replicas(count);
    let other = Subtask::new("b", "b", "count").with_replicas(u32::MAX).with_dependencies(["a"]);
    for (given, expected) in [
        (plan([replicas(4_000_000_000)]), 4_000_000_000),
        (plan([replicas(u32::MAX), other]), 8_589_934_590),
    ] {
        let Err(DecomposeError::Invalid(issues)) = world().ask(Some(&given)) else {
            panic!("the plan is not valid")
        };
        assert_eq!(issues[0], PlanIssue::TooMany { count: expected, max: 100 });
    }
    // A limit that allows them does not help: each replica needs a worker of its own.
    let unlimited = world().max(usize::MAX);
    let Err(DecomposeError::Invalid(issues)) = unlimited.ask(Some(&plan([replicas(u32::MAX)])))
    else {
        panic!("there are not so many workers")
    };
    assert!(matches!(issues[..], [PlanIssue::TooManyReplicas { .. }]), "{issues:?}");
}

#[test]
fn notes_list_a_few_ids_and_count_the_rest() {
    let given = plan((0..8).map(|i| Subtask::new(format!("s{i}"), "x", "count")));
    assert_eq!(
        complete(&world(), &given).notes[0],
        "parent_task_id was missing and set for `s0`, `s1`, `s2`, `s3`, `s4` and 3 more"
    );
}

#[test]
fn all_issues_come_at_once() {
    let given = plan([
        Subtask::new("a", "a", "count").with_dependencies(["b"]),
        Subtask::new("b", "b", "count").with_dependencies(["a", "zzz"]),
        Subtask::new("c", "c", "knit"),
    ]);
    let Err(DecomposeError::Invalid(issues)) = world().max(2).ask(Some(&given)) else {
        panic!("the plan is not valid")
    };
    assert!(
        matches!(
            issues[..],
            [
                PlanIssue::TooMany { count: 3, max: 2 },
                PlanIssue::UnknownDependency { .. },
                PlanIssue::Cycle { .. },
                PlanIssue::Unservable { .. },
            ]
        ),
        "{issues:?}"
    );
    let sentences = TaskDecomposer::default().validate_plan(&given, &world().workers);
    let expected: Vec<_> = issues[1..].iter().map(ToString::to_string).collect();
    assert_eq!(sentences, expected);
    assert!(
        TaskDecomposer::default()
            .validate_plan(&plan([Subtask::new("a", "a", "count")]), &world().workers)
            .is_empty()
    );
}
