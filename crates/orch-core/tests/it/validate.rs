//! Every issue of a plan is found, in one go, and says what to do.

use std::sync::Arc;

use orch_core::{
    Constraints, DecompositionPlan, Gate, PlanIssue, PlanLimits, RunSettings, Subtask, Unserved,
    Worker,
};

use crate::support::{Reader, Sayer, team};

fn task(id: &str) -> Subtask {
    Subtask::new(id, format!("Do {id}"), "general")
}

fn needing(id: &str, needs: &[&str]) -> Subtask {
    task(id).with_dependencies(needs.iter().copied())
}

fn constrained(constraints: Constraints) -> Subtask {
    task("a").with_constraints(constraints)
}

#[track_caller]
fn check_shape(subtasks: Vec<Subtask>, expected: &[&str]) {
    check_plan(&DecompositionPlan::new(subtasks), expected);
}

#[track_caller]
fn check_plan(plan: &DecompositionPlan, expected: &[&str]) {
    let issues: Vec<_> = plan.validate_shape().iter().map(ToString::to_string).collect();
    assert_eq!(issues, expected);
}

#[track_caller]
fn check_service(subtasks: Vec<Subtask>, workers: &[Arc<dyn Worker>], expected: &[&str]) {
    let issues = DecompositionPlan::new(subtasks).validate(workers);
    let issues: Vec<_> = issues.iter().map(ToString::to_string).collect();
    assert_eq!(issues, expected);
}

#[test]
fn a_good_plan_has_no_issues() {
    let full = needing("d", &["b", "c"])
        .with_tolerates(["c"])
        .with_priority(100_u8)
        .with_locks(["x", "y"])
        .with_artifacts(vec!["report".to_owned()])
        .with_timeout_ms(1_u64)
        .with_constraints(Constraints::new().with_max_cost_usd(0.0))
        .with_gates(vec![Gate::MinConfidencePercent(100)])
        .with_replicas(1_u32);
    let plan = vec![task("a b/\u{e4}#1"), needing("b", &["a b/\u{e4}#1"]), task("c"), full];
    check_shape(plan.clone(), &[]);
    check_service(plan, &team(&[("w", &["general"])]), &[]);
}

#[test]
fn sizes() {
    check_shape(vec![], &["the plan has no subtasks; give it at least one"]);
    let plan = DecompositionPlan::new([task("a"), task("b").with_replicas(3_u32)]);
    let workers = team(&[("x", &["*"]), ("y", &["*"]), ("z", &["*"])]);
    assert_eq!(plan.validate_within(&workers, PlanLimits::new(4), None), []);
    assert_eq!(
        plan.validate_within(&workers, PlanLimits::new(3), None),
        [PlanIssue::TooMany { count: 4, max: 3 }]
    );
    let settings = RunSettings::default().with_max_subtasks(3_u32);
    let issues = plan.validate_within(&workers, PlanLimits::from(&settings), None);
    assert_eq!(
        issues[0].to_string(),
        "the plan has 4 subtasks with all replicas, more than 3; split the task or raise max_subtasks"
    );
    assert_eq!(PlanLimits::default(), PlanLimits { max_subtasks: 10_000 });
    let huge = DecompositionPlan::new([
        task("a").with_replicas(u32::MAX),
        task("b").with_replicas(u32::MAX),
    ]);
    let issues = huge.validate(&workers);
    assert!(matches!(issues[0], PlanIssue::TooMany { count: 8_589_934_590, .. }), "{issues:?}");
}

#[test]
fn ids() {
    let long = "x".repeat(129);
    for (id, expected) in [
        ("", "the id `` is blank; choose another"),
        (" \t", "the id ` \\t` is blank; choose another"),
        ("a ", "the id `a ` begins or ends with white space; choose another"),
        ("a\nb", "the id `a\\nb` has control characters; choose another"),
        ("$plan", "the id `$plan` begins with `$`, which is kept for the engine; choose another"),
        (
            &long,
            "the id `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...` is longer than 128 characters; choose another",
        ),
    ] {
        check_shape(vec![task(id)], &[expected]);
    }
    check_shape(vec![task(&"\u{e4}".repeat(128))], &[]);
    check_shape(
        vec![task("a"), task("b"), task("a"), task("a")],
        &["3 subtasks have the id `a`; give each an id of its own"],
    );
    check_shape(
        vec![
            task("a").with_replicas(2_u32),
            task("a#1"),
            task("a#2"),
            task("a#3"),
            task("a#01"),
            task("b#1"),
        ],
        &[
            "the id `a#1` is that of a replica of subtask `a`; choose another",
            "the id `a#2` is that of a replica of subtask `a`; choose another",
        ],
    );
}

#[test]
fn dependencies() {
    for (subtask, expected) in [
        (
            needing("b", &["fecth"]),
            "subtask `b` depends on `fecth`, which is not in the plan; did you mean `fetch`?",
        ),
        (
            needing("b", &["nothing like it"]),
            "subtask `b` depends on `nothing like it`, which is not in the plan; add it or drop the dependency",
        ),
        (needing("b", &["b"]), "subtask `b` depends on itself; drop that dependency"),
        (
            needing("b", &["fetch", "fetch"]),
            "subtask `b` lists the dependency `fetch` twice; drop one",
        ),
        (
            needing("b", &["fetch"]).with_tolerates(["fetsh"]),
            "subtask `b` tolerates `fetsh`, on which it does not depend; did you mean `fetch`?",
        ),
        (
            task("b").with_tolerates(["fetch"]),
            "subtask `b` tolerates `fetch`, on which it does not depend; add the dependency or drop it from tolerates",
        ),
    ] {
        check_shape(vec![task("fetch"), subtask], &[expected]);
    }
    // The subtask itself is never suggested.
    check_shape(
        vec![needing("fetch", &["fetsh"])],
        &[
            "subtask `fetch` depends on `fetsh`, which is not in the plan; add it or drop the dependency",
        ],
    );
}

#[test]
fn cycles_are_named_whole_and_in_order() {
    check_shape(
        vec![
            task("root"),
            needing("a", &["root", "c"]),
            needing("b", &["a"]),
            needing("c", &["b"]),
        ],
        &["these subtasks wait for each other: a -> c -> b -> a; drop one of these dependencies"],
    );
    // A knot may hold more than one: the one named begins with its first subtask, even if the knot begins with another.
    check_shape(
        vec![
            needing("a", &["d"]),
            task("b"),
            needing("c", &["d", "e"]),
            needing("d", &["c"]),
            needing("e", &["a"]),
        ],
        &["these subtasks wait for each other: c -> d -> c; drop one of these dependencies"],
    );
    // A subtask that only depends on a cycle is not part of it; two cycles are two issues, in plan order.
    check_shape(
        vec![
            needing("leaf", &["y", "b"]),
            needing("x", &["y"]),
            needing("y", &["x"]),
            needing("a", &["b"]),
            needing("b", &["a"]),
        ],
        &[
            "these subtasks wait for each other: x -> y -> x; drop one of these dependencies",
            "these subtasks wait for each other: a -> b -> a; drop one of these dependencies",
        ],
    );
    let ring: Vec<_> =
        (0..20).map(|n| needing(&format!("n{n}"), &[&format!("n{}", (n + 1) % 20)])).collect();
    check_shape(
        ring,
        &[
            "these subtasks wait for each other: n0 -> n1 -> n2 -> n3 -> n4 -> n5 -> n6 -> n7 -> n8 -> n9 -> n10 \
           -> n11 -> (8 more) -> n0; drop one of these dependencies",
        ],
    );
}

#[test]
fn fields_of_a_subtask() {
    let long = "l".repeat(200);
    for (subtask, expected) in [
        (
            task("a").with_priority(101_u8),
            "subtask `a` has priority 101; choose 0 to 100, higher goes first",
        ),
        (
            task("a").with_replicas(0_u32),
            "subtask `a` has 0 replicas; set at least 1 or drop the subtask",
        ),
        (
            task("a").with_timeout_ms(0_u64),
            "subtask `a`: timeout_ms is 0; give at least 1 millisecond",
        ),
        (
            constrained(Constraints::new().with_max_cost_usd(-0.5)),
            "subtask `a`: max_cost_usd is -0.5; give an amount of at least 0",
        ),
        (
            constrained(Constraints::new().with_max_cost_usd(f64::NAN)),
            "subtask `a`: max_cost_usd is NaN; give an amount of at least 0",
        ),
        (
            constrained(Constraints::new().with_max_cost_usd(f64::INFINITY)),
            "subtask `a`: max_cost_usd is inf; give an amount of at least 0",
        ),
        (
            task("a").with_gates(vec![Gate::NonEmpty, Gate::MinConfidencePercent(101)]),
            "subtask `a`: min_confidence_percent is 101; give 0 to 100",
        ),
        (task("a").with_locks([""]), "lock `` of subtask `a` is blank; rename it or drop it"),
        (
            task("a").with_locks(["x", "x"]),
            "lock `x` of subtask `a` is listed twice; rename it or drop it",
        ),
        (
            task("a").with_locks([long.as_str()]),
            "lock `llllllllllllllllllllllllllllllll...` of subtask `a` is longer than 128 characters; rename it or drop it",
        ),
        (
            task("a").with_artifacts(vec!["r\u{7}".to_owned()]),
            "artifact `r\\u{7}` of subtask `a` has control characters; rename it or drop it",
        ),
        (
            task("a").with_artifacts(vec!["r".to_owned(), "r".to_owned()]),
            "artifact `r` of subtask `a` is listed twice; rename it or drop it",
        ),
    ] {
        check_shape(vec![subtask], &[expected]);
    }
}

#[test]
fn numbers_of_the_plan() {
    let plan = || DecompositionPlan::new([task("a")]);
    for confidence in [f64::NAN, -0.1, 1.1, f64::INFINITY] {
        let expected = format!("the plan's confidence is {confidence}; give a number from 0 to 1");
        check_plan(&plan().with_confidence(confidence), &[&expected]);
    }
    for factor in [f64::NAN, 0.0, 0.9, f64::INFINITY] {
        let expected =
            format!("the plan's parallelism_factor is {factor}; give a number of at least 1");
        check_plan(&plan().with_parallelism_factor(factor), &[&expected]);
    }
    check_plan(&plan().with_confidence(0.0).with_parallelism_factor(1e9), &[]);
}

#[test]
fn all_issues_come_at_once() {
    let plan = DecompositionPlan::new([
        needing("a", &["b", "zebra"]).with_priority(200_u8),
        needing("b", &["a"]).with_replicas(0_u32).with_locks([" "]),
        task("b").with_constraints(
            Constraints::new().with_require_worker(orch_core::WorkerName::new("victro")),
        ),
    ])
    .with_confidence(2.0);
    let issues = plan.validate_within(&team(&[("victor", &["general"])]), PlanLimits::new(1), None);
    let found: Vec<_> = issues.iter().map(|issue| format!("{issue:?}")).collect();
    let expected = [
        "TooMany",
        "BadNumber",
        "DuplicateId",
        "UnknownDependency",
        "PriorityOutOfRange",
        "ZeroReplicas",
        "BadLock",
        "Cycle",
        "UnknownRequiredWorker",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found} is no {expected}");
    }
}

#[test]
fn workers_are_found_by_capability() {
    let workers = team(&[
        ("helena", &["form_testing", "testing"]),
        ("victor", &["api_testing"]),
        ("both", &["testing"]),
    ]);
    let typed = |task_type: &str| Subtask::new("a", "Do it", task_type);
    for (subtask, expected) in [
        (typed("form_testing"), &[][..]),
        (
            typed("from_testing"),
            &[
                "no worker can do subtask `a` of type `from_testing`: none handles that type; did you mean `form_testing`?",
            ],
        ),
        (
            typed("cooking"),
            &[
                "no worker can do subtask `a` of type `cooking`: none handles that type; register a worker that does or change the type",
            ],
        ),
        (
            typed(""),
            &[
                "no worker can do subtask `a` without a task_type: none handles that type; register a worker that does or change the type",
            ],
        ),
        (typed("testing").with_replicas(2_u32), &[]),
        (
            typed("testing").with_replicas(3_u32),
            &[
                "subtask `a` has 3 replicas, each for another worker, but only 2 can do it; set at most 2",
            ],
        ),
        (
            typed("testing")
                .with_constraints(Constraints::new().with_tags(vec!["helena-skill".to_owned()])),
            &[],
        ),
        (
            typed("testing")
                .with_constraints(Constraints::new().with_tags(vec!["victor-skill".to_owned()])),
            &[
                "no worker can do subtask `a` of type `testing`: `helena`, `both` could, but the constraints exclude them; \
               relax require_worker, kind, exclude_workers or tags",
            ],
        ),
        (
            typed("testing").with_constraints(
                Constraints::new().with_exclude_workers(vec!["helena".into(), "both".into()]),
            ),
            &[
                "no worker can do subtask `a` of type `testing`: `helena`, `both` could, but the constraints exclude them; \
               relax require_worker, kind, exclude_workers or tags",
            ],
        ),
        (
            typed("testing").with_constraints(
                Constraints::new().with_require_worker(orch_core::WorkerName::new("victor")),
            ),
            &[
                "no worker can do subtask `a` of type `testing`: `helena`, `both` could, but the constraints exclude them; \
               relax require_worker, kind, exclude_workers or tags",
            ],
        ),
        (
            typed("testing").with_constraints(
                Constraints::new().with_require_worker(orch_core::WorkerName::new("helene")),
            ),
            &["subtask `a` requires worker `helene`, which does not exist; did you mean `helena`?"],
        ),
        (
            typed("testing").with_constraints(
                Constraints::new().with_require_worker(orch_core::WorkerName::new("nobody")),
            ),
            &[
                "subtask `a` requires worker `nobody`, which does not exist; register it or drop require_worker",
            ],
        ),
    ] {
        check_service(vec![subtask], &workers, expected);
    }
    check_service(
        vec![task("a"), task("b")],
        &[],
        &["there are no workers; register at least one"],
    );
    check_service(vec![], &[], &["the plan has no subtasks; give it at least one"]);
}

#[test]
fn long_lists_of_workers_are_cut() {
    let names: Vec<String> = (0..15).map(|n| format!("w{n}")).collect();
    let workers: Vec<(&str, &[&str])> =
        names.iter().map(|name| (name.as_str(), &["general"][..])).collect();
    let excluded = names.iter().map(|name| name.as_str().into()).collect::<Vec<_>>();
    let subtask = constrained(Constraints::new().with_exclude_workers(excluded));
    let issues = DecompositionPlan::new([subtask]).validate(&team(&workers));
    assert!(issues[0].to_string().contains("`w11` and 3 more could"), "{}", issues[0]);
}

#[test]
fn the_constraints_of_the_task_count() {
    let plan = DecompositionPlan::new([
        task("a"),
        constrained(Constraints::new().with_exclude_workers(vec!["x".into()])),
    ]);
    let plan = DecompositionPlan::new(plan.subtasks.into_iter().enumerate().map(|(n, s)| {
        let mut s = Subtask::clone(&s);
        s.id = format!("s{n}").into();
        s
    }));
    let workers = team(&[("x", &["general"]), ("y", &["general"])]);
    let validate =
        |outer: &Constraints| plan.validate_within(&workers, PlanLimits::default(), Some(outer));
    assert_eq!(validate(&Constraints::new()), []);
    let excluded = |subtask: &str| PlanIssue::Unservable {
        subtask: subtask.into(),
        task_type: "general".to_owned(),
        why: Unserved::Excluded { able: vec!["x".into(), "y".into()] },
    };
    assert_eq!(
        validate(&Constraints::new().with_exclude_workers(vec!["y".into()])),
        [excluded("s1")]
    );
    let nobody = Constraints::new().with_tags(vec!["nothing".to_owned()]);
    assert_eq!(validate(&nobody), [excluded("s0"), excluded("s1")]);
}

#[test]
fn a_worker_is_asked_about_every_subtask() {
    // These two look at the description: what one could do of a type says nothing about the next subtask of that type.
    let workers: Vec<Arc<dyn Worker>> =
        vec![Arc::new(Reader("read".into())), Arc::new(Reader("write".into()))];
    let about = |id: &str, description: &str| Subtask::new(id, description, "general");
    let plan = vec![
        about("a", "read it"),
        about("b", "write it"),
        about("c", "read it"),
        about("d", "sing it"),
    ];
    check_service(
        plan,
        &workers,
        &[
            "no worker can do subtask `d` of type `general`: none handles that type; register a worker that does or change the type",
        ],
    );
}

#[test]
fn invalid_scores_are_no_ability() {
    for (score, able) in [(0.1, true), (0.0, false), (1.5, false), (-1.0, false), (f64::NAN, false)]
    {
        let workers: Vec<Arc<dyn Worker>> = vec![Arc::new(Sayer::new(score))];
        let issues = DecompositionPlan::new([task("a")]).validate(&workers);
        assert_eq!(issues.is_empty(), able, "{score}");
    }
}
