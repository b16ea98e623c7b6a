//! `capability_based`, case by case.

use orch_core::{Constraints, DecompositionStrategy, PlanSource};
use orch_decompose::NotApplicable;

use crate::world::World;

fn world(description: &str) -> World {
    World::new(DecompositionStrategy::CapabilityBased, description, "research")
}

fn descriptions(world: &World) -> Vec<String> {
    world.plan().subtasks.iter().map(|subtask| subtask.description.clone()).collect()
}

#[test]
fn each_clause_goes_to_the_card_that_it_resembles() {
    let plan = world(
        "Fetch the page, then parse the structure and count its words. Finally write a summary",
    )
    .makes("fetch:fetch parse:parse<fetch count:count<fetch+parse summary:summary<count");
    assert_eq!(plan.source, PlanSource::CapabilityBased);
    assert!(plan.subtasks.iter().all(|subtask| subtask.parent_task_id == "t"));
    assert_eq!(plan.parallelism_factor, 1.0);
}

#[test]
fn without_a_reason_there_is_no_edge() {
    let plan = world("Fetch the pages and count the lines\nParse the log; summarize")
        .makes("fetch:fetch count:count parse:parse summary:summary");
    assert_eq!(plan.parallelism_factor, 4.0);
    assert!(plan.notes.is_empty());
}

#[test]
fn every_edge_is_explained() {
    let plan = world("Fetch a page, fetch a log, then parse the log. Summarize it").plan();
    assert_eq!(
        plan.notes,
        [
            "`parse` waits for `fetch`, `fetch-2`: an order word says so",
            "`summary` waits for `parse`: it refers to what that makes",
        ]
    );
}

#[test]
fn clauses_that_match_nothing_stay_with_their_neighbours() {
    let text = "Be careful. Fetch the page, mind the gap, and sing. Then parse the log, please.";
    assert_eq!(
        descriptions(&world(text)),
        ["Be careful. Fetch the page, mind the gap, and sing", "parse the log, please"]
    );
    world(text).makes("fetch:fetch parse:parse<fetch");
    // The order word before a clause that matches nothing holds for the one after it.
    world("Fetch the page, then sing, and parse the log").makes("fetch:fetch parse:parse<fetch");
}

#[test]
fn confidence_follows_the_match() {
    let confidence = |text: &str| world(text).plan().confidence;
    let full = confidence("Fetch. Count!");
    let most = confidence("Fetch the page, then count the lines");
    let some =
        confidence("Fetch the bone of that good old dog, then count sheep on a green meadow");
    assert!((full - 0.9).abs() < 1e-9, "{full}");
    assert!((most - 0.75 * 0.9).abs() < 1e-9, "{most}");
    assert!((some - 0.5 * 0.9).abs() < 1e-9, "{some}");
    // Half of the words resemble nothing.
    let half = confidence("Fetch. Compose");
    assert!((half - 0.5 * 0.9).abs() < 1e-9, "{half}");
}

#[test]
fn two_cards_that_match_as_well_make_it_unsure() {
    let one = world("Review the code").workers(&["reviewer | review | reviews code"]);
    let two = world("Review the code")
        .workers(&["reviewer | review | reviews code", "critic | critique | review of code"]);
    assert!(two.plan().confidence < one.plan().confidence);
    two.makes("review:review");
}

#[test]
fn of_equal_cards_the_first_registered_counts() {
    let profiles = ["one | audit code", "two | audit text"];
    world("Audit everything").workers(&profiles).makes("audit:audit");
    world("Audit the text").workers(&profiles).makes("text:text");
    world("Audit nothing | audit")
        .workers(&["b | audit-b", "a | audit-a"])
        .makes("audit-b:audit-b");
}

#[test]
fn a_worker_for_everything_is_asked_for_by_capability() {
    let plan = world("Translate the page, then fetch the next one")
        .workers(&["web | fetch", "translator | * | translates pages", "poet | * | writes poems"])
        .makes("general:general fetch:fetch<general");
    let constraints = plan.subtasks[0].constraints.as_ref().unwrap();
    assert_eq!(constraints.tags, ["translator"]);
    assert_eq!(plan.subtasks[1].constraints, None);
}

#[test]
fn only_admitted_workers_count() {
    let without_web = Constraints::new().with_exclude_workers(["web".into()]);
    world("Fetch the page, then parse the log").constraints(without_web).makes("parse:parse");
    let only_web = Constraints::new().with_require_worker(Some("web".into()));
    world("Parse the log").constraints(only_web).finds_nobody("research");
}

#[test]
fn a_card_whose_worker_declines_does_not_count() {
    let profiles = ["idler | fetch page | fetches pages | 0", "walker | fetch"];
    world("Fetch the page").workers(&profiles).makes("fetch:fetch");
    world("Fetch the page").workers(&profiles[..1]).finds_nobody("research");
}

#[test]
fn what_resembles_nothing_makes_no_plan() {
    world("Compose baroque music").finds_nobody("research");
    world("").finds_nobody("research");
    world("Fetch the page").workers(&[]).finds_nobody("research");
}

#[test]
fn more_clauses_than_allowed_make_no_plan() {
    let three = || world("Fetch the page. Parse the log. Count the lines.");
    three().max(3).makes("fetch:fetch parse:parse count:count");
    let expected = NotApplicable::TooMany { what: "the description".into(), count: 3, max: 2 };
    assert_eq!(three().max(2).not_applicable(), expected);
    assert_eq!(expected.to_string(), "the description would make 3 subtasks, and 2 are allowed");
}
