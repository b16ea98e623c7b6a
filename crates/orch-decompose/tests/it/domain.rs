//! `domain_based`, case by case.

use orch_core::{Constraints, DecompositionStrategy, PlanSource};
use orch_decompose::{NotApplicable, TaskDecomposer};
use serde_json::json;

use crate::world::World;

fn world(task_type: &str) -> World {
    World::new(DecompositionStrategy::DomainBased, "Review the code", task_type)
        .workers(&["reviewer | review | reviews code"])
}

#[test]
fn every_item_becomes_a_subtask_that_carries_it() {
    let plan = world("review")
        .context("files", json!(["src/lib.rs", {"name": "main", "size": 3}, 7, ["a"], {"k": 1}]))
        .makes("src-lib.rs:review main:review 7:review a:review k-1:review");
    assert_eq!(plan.source, PlanSource::DomainBased);
    assert_eq!(plan.confidence, 0.7);
    assert_eq!(plan.parallelism_factor, 5.0);
    assert_eq!(plan.subtasks[0].description, "Review the code (item 1 of 5: src/lib.rs)");
    assert_eq!(plan.subtasks[1].description, "Review the code (item 2 of 5: main)");
    assert_eq!(plan.subtasks[1].context["item"], json!({"name": "main", "size": 3}));
    assert_eq!(
        plan.notes,
        [
            "one subtask per item of `files`",
            "no join: no worker lists a type of join, merge, aggregate, synthesis, summary, summarize, summarise, report",
        ]
    );
}

#[test]
fn a_join_waits_for_all_when_a_worker_lists_such_a_type() {
    let with = |profiles: &[&str]| {
        world("review").workers(profiles).context("items", json!(["a", "join"]))
    };
    let plan =
        with(&["r | review", "w | summary"]).makes("a:review join:review join-2:summary<a+join");
    assert_eq!(plan.subtasks[2].description, "Join the results of 2 subtasks: Review the code");
    assert_eq!(plan.notes[1], "`join-2` waits for all of them and joins their results");
    // The more specific type wins over the order of registration; `*` alone does not say that a worker joins.
    with(&["r | review", "w | report", "j | merge"])
        .makes("a:review join:review join-2:merge<a+join");
    with(&["r | review", "w | *"]).makes("a:review join:review");
    let without_w = Constraints::new().with_exclude_workers(["w".into()]);
    with(&["r | review", "w | summary"]).constraints(without_w).makes("a:review join:review");
}

#[test]
fn the_list_is_under_a_usual_key_or_the_configured_one() {
    let lists = || {
        world("review")
            .context("files", json!(["f", "g"]))
            .context("domains", json!(["d"]))
            .context("items", json!("text"))
            .context("crates", json!(["x", "y"]))
    };
    lists().makes("f:review g:review");
    let mut configured = lists();
    configured.decomposer = configured.decomposer.with_item_key("crates");
    assert_eq!(configured.makes("x:review y:review").confidence, 0.9);
    lists().context("domains", json!(["d", "e"])).makes("d:review e:review");

    configured.decomposer = configured.decomposer.with_item_key("missing");
    let expected = NotApplicable::NoItems { keys: vec!["`missing`".into()] };
    assert_eq!(configured.not_applicable(), expected);
    assert_eq!(
        world("review").context("items", json!("one")).not_applicable().to_string(),
        "the context has no list under `items`, `domains`, `files`"
    );
}

#[test]
fn a_list_of_one_and_a_list_of_none_are_lists() {
    for (items, with_join, without) in [
        (json!(["a", "b"]), "a:review b:review join:summary<a+b", "a:review b:review"),
        (json!(["a"]), "a:review join:summary<a", "a:review"),
        (json!([]), "join:summary", ""),
    ] {
        for key in ["items", "crates"] {
            let mut world = world("review").context(key, items.clone());
            if key == "crates" {
                world.decomposer = world.decomposer.with_item_key(key);
            }
            let plan = world.makes(without);
            assert_eq!(plan.source, PlanSource::DomainBased);
            world.workers(&["r | review", "w | summary"]).makes(with_join);
        }
    }
    let plan = world("review").context("items", json!([])).plan();
    assert_eq!(plan.notes, ["the list `items` is empty, so there is nothing to do for it"]);
    let plan = world("review")
        .workers(&["r | review", "w | summary"])
        .context("items", json!([{"name": "a"}]))
        .plan();
    assert_eq!(plan.subtasks[0].context["item"], json!({"name": "a"}));
    assert_eq!(plan.subtasks[1].description, "Join the result of 1 subtask: Review the code");
    // What has more in it is more likely what is meant.
    world("review").context("items", json!([])).context("domains", json!(["d"])).makes("d:review");
}

#[test]
fn more_items_than_allowed_make_no_plan_and_a_join_must_fit_too() {
    let three = || {
        world("review").workers(&["r | review", "w | summary"]).context("items", json!([1, 2, 3]))
    };
    three().max(4).makes("1:review 2:review 3:review join:summary<1+2+3");
    let plan = three().max(3).makes("1:review 2:review 3:review");
    assert_eq!(plan.notes[1], "no join: it would be one more than the 3 subtasks that are allowed");
    let expected = NotApplicable::TooMany { what: "the list `items`".into(), count: 3, max: 2 };
    assert_eq!(three().max(2).not_applicable(), expected);
}

#[test]
fn a_type_that_nobody_handles_gives_way_to_the_best_matching_card() {
    let items = || world("repo_audit").context("items", json!(["a", "b"]));
    let plan = items().makes("a:review b:review");
    assert!(plan.confidence > 0.0 && plan.confidence <= 0.7, "{}", plan.confidence);
    let plan = items().workers(&["critic | * | reviews code"]).makes("a:repo_audit b:repo_audit");
    assert_eq!(plan.confidence, 0.7);
    items().workers(&["painter | paint"]).finds_nobody("repo_audit");
    // A type that is not given is inferred.
    world("")
        .workers(&["tester | general"])
        .context("items", json!(["a", "b"]))
        .makes("a:general b:general");
}

#[test]
fn long_items_are_shortened_in_texts_only() {
    let long = "é".repeat(500);
    let plan = world("review").context("items", json!([long, long])).plan();
    assert_eq!(plan.subtasks[0].context["item"], json!(long));
    assert!(plan.subtasks[0].description.chars().count() < 150);
    assert!(plan.subtasks[1].id.as_str().ends_with("-2"));
}

#[test]
fn the_strategy_alone_does_not_fall_back() {
    let world = World::new(DecompositionStrategy::DomainBased, "Fetch the page", "fetch");
    assert!(matches!(world.not_applicable(), NotApplicable::NoItems { .. }));
    let error = TaskDecomposer::new(DecompositionStrategy::PhaseBased).unwrap_err();
    assert_eq!(
        error.to_string(),
        "decomposition strategy `phase_based` is not available here; available: capability_based, domain_based, hybrid"
    );
}
