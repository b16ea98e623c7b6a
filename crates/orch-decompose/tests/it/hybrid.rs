//! `hybrid`: which source makes the plan.

use std::num::NonZeroUsize;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use orch_core::{
    Decomposer, DecompositionPlan, DecompositionRequest, DecompositionStrategy, PlanSource, Subtask,
};
use orch_decompose::NotApplicable;
use serde_json::json;

use crate::world::World;

fn world(description: &str, task_type: &str) -> World {
    World::new(DecompositionStrategy::Hybrid, description, task_type)
}

#[test]
fn a_given_plan_goes_before_everything() {
    let given = DecompositionPlan::new([Subtask::new("mine", "Count", "count")]);
    let world = world("Fetch the page, then parse it", "count").context("items", json!([1, 2]));
    let plan = world.ask(Some(&given)).unwrap();
    assert_eq!((plan.source, plan.subtasks.len()), (PlanSource::Explicit, 1));
}

#[test]
fn items_go_before_the_description() {
    let plan =
        world("Fetch the page, then parse the log", "count").context("items", json!([1, 2])).plan();
    assert_eq!(plan.source, PlanSource::DomainBased);
}

#[test]
fn a_short_list_makes_the_same_kind_of_plan_as_a_long_one() {
    for (items, expected) in [
        (json!(["a", "b"]), "a:count b:count join:summary<a+b"),
        (json!(["a"]), "a:count join:summary<a"),
        (json!([]), "join:summary"),
    ] {
        let plan = world("Count the lines", "count").context("files", items).makes(expected);
        assert_eq!(plan.source, PlanSource::DomainBased);
    }
}

#[test]
fn a_sure_split_goes_before_the_whole() {
    let plan = world("Fetch the page, then parse the log", "count").plan();
    assert_eq!(plan.source, PlanSource::CapabilityBased);
    assert!(plan.confidence >= 0.6, "{}", plan.confidence);
}

#[test]
fn an_unsure_split_gives_way_to_the_whole_and_says_so() {
    let plan = world(
        "Fetch the old dog's bone behind the house, then count green sheep and blue cows",
        "count",
    )
    .makes("task:count");
    assert_eq!((plan.source, plan.confidence), (PlanSource::Single, 0.4));
    let [note] = &plan.notes[..] else { panic!("{:?}", plan.notes) };
    assert!(note.starts_with("capability_based was not used: its confidence is 0."), "{note}");
    assert!(note.ends_with("below 0.50"), "{note}");
}

#[test]
fn one_clause_is_one_subtask() {
    let plan = world("Fetch the page", "count").makes("task:count");
    assert_eq!((plan.source, plan.confidence), (PlanSource::Single, 0.8));
    assert!(plan.notes.is_empty());
    let plan = world("Compose baroque music, then sing", "count").makes("task:count");
    assert_eq!((plan.confidence, plan.notes.len()), (0.4, 0));
}

#[test]
fn what_the_capabilities_give_is_better_than_nothing() {
    let plan = world("Fetch the page", "research").makes("fetch:fetch");
    assert_eq!(plan.source, PlanSource::CapabilityBased);
    world("Compose baroque music", "research").finds_nobody("research");
    world("Compose baroque music", "").finds_nobody("general");
}

#[test]
fn a_strategy_that_does_not_fit_within_the_limit_is_passed_over_and_says_so() {
    let plan = world("Fetch the page. Parse the log. Count the lines.", "count")
        .context("files", json!([1, 2, 3]))
        .max(2)
        .makes("task:count");
    assert_eq!(
        plan.notes,
        [
            "capability_based was not used: the description would make 3 subtasks, and 2 are allowed",
            "domain_based was not used: the list `files` would make 3 subtasks, and 2 are allowed",
        ]
    );
    let not_applicable = world("Fetch the page. Parse the log. Count the lines.", "research")
        .max(2)
        .not_applicable();
    assert_eq!(
        not_applicable,
        NotApplicable::TooMany { what: "the description".into(), count: 3, max: 2 }
    );
}

#[test]
fn the_async_form_answers_at_once_and_the_same() {
    let world = world("Fetch the page, then parse the log", "research");
    let request = DecompositionRequest::new(&world.task, &world.workers, NonZeroUsize::MAX);
    let mut future = pin!(world.decomposer.decompose(request));
    let Poll::Ready(plan) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("nothing to wait for")
    };
    assert_eq!(plan.unwrap(), world.plan());
}

#[test]
fn a_way_that_was_surely_better_goes_before_the_usual_one() {
    use PlanSource::{CapabilityBased, DomainBased, Single};
    let split = world("Fetch the page, then parse the log", "count");
    let makes = |world: World| {
        let plan = world.plan();
        (plan.source, plan.notes.join("; "))
    };
    let (source, note) =
        makes(split.clone().earlier(&[(CapabilityBased, 2, 10), (Single, 20, 20)]));
    assert_eq!(source, Single);
    assert_eq!(
        note,
        "capability_based was not used: its runs were worth 0.20 of 1 on average, and those of single are worth more than 0.91"
    );
    // A whole that fails gives way to a split that is not sure of itself.
    let unsure = world(
        "Fetch the old dog's bone behind the house, then count green sheep and blue cows",
        "count",
    );
    let (source, note) = makes(unsure.earlier(&[(Single, 1, 9), (CapabilityBased, 9, 9)]));
    assert_eq!(source, CapabilityBased);
    assert!(
        note.contains("single was not used: its runs were worth 0.11 of 1 on average"),
        "{note}"
    );
    // So do items.
    let items = split.clone().context("items", json!([1, 2]));
    let (source, _) = makes(items.earlier(&[(DomainBased, 0, 5), (CapabilityBased, 5, 5)]));
    assert_eq!(source, CapabilityBased);
    // Little is no evidence, nor is a difference that may be chance.
    for runs in [
        &[(CapabilityBased, 0, 2), (Single, 20, 20)][..],
        &[(CapabilityBased, 0, 9), (Single, 2, 2)],
        &[(CapabilityBased, 7, 10), (Single, 9, 10)],
        &[(Single, 20, 20)],
    ] {
        assert_eq!(makes(split.clone().earlier(runs)), makes(split.clone()), "{runs:?}");
    }
}

#[test]
fn a_pinned_rule_decides_and_a_forbidden_one_says_nothing() {
    let runs = [(PlanSource::CapabilityBased, 9, 9), (PlanSource::Single, 5, 9)];
    let mut world = world("Fetch the page, then parse the log", "count").earlier(&runs);
    let rules = &mut world.learned.as_mut().unwrap().decomposition;
    let single = rules.iter_mut().find(|rule| rule.confidence < 0.6).unwrap();
    single.confidence = 1.0; // what a memory says of a pinned rule
    let id = single.id.clone();
    let plan = world.plan();
    assert_eq!(plan.source, PlanSource::Single);
    assert_eq!(plan.notes, [format!("capability_based was not used: rule {id} is pinned")]);
    world.learned.as_mut().unwrap().decomposition.retain(|rule| rule.id != id);
    assert_eq!(world.plan().source, PlanSource::CapabilityBased);
}
