//! `merge`, case by case.

use orch_core::{AggregationStrategy, Claimant, DecidedBy, Resolution};
use serde_json::{Value, json};

use crate::world::World;

/// Merges outputs of subtasks `a`, `b`, `c`, ... with the given confidences; checks output and conflicts.
#[track_caller]
fn check(outputs: &[(f64, Value)], expected: Value, conflicts: &[&str]) {
    let mut world = World::new(AggregationStrategy::Merge);
    for ((confidence, output), id) in outputs.iter().zip(["a", "b", "c", "d"]) {
        world = world.done(id, *confidence, output.clone());
    }
    let result = world.output();
    assert_eq!(result.output, expected);
    let sentences: Vec<&str> =
        result.conflicts_resolved.iter().map(|conflict| &*conflict.sentence).collect();
    assert_eq!(sentences, conflicts);
}

#[test]
fn objects_are_merged_at_every_depth() {
    check(
        &[(1.0, json!({"x": {"p": 1}, "y": 2})), (1.0, json!({"x": {"q": {"r": 3}}, "z": null}))],
        json!({"x": {"p": 1, "q": {"r": 3}}, "y": 2, "z": null}),
        &[],
    );
}

#[test]
fn a_conflict_names_who_was_kept_and_who_was_dropped() {
    let at_x = |value: u32| json!({ "a/b": { "x": value } });
    let world = World::new(AggregationStrategy::Merge)
        .done("a", 0.9, at_x(1))
        .done("b", 0.5, at_x(2))
        .done("c", 0.9, at_x(3));
    let claimant = |id: &str, confidence| Claimant { subtask: id.into(), confidence };
    let resolution = |dropped, decided_by| {
        let path = "/a~1b/x".to_owned();
        Some(Resolution { path, kept: claimant("c", 0.9), dropped, decided_by })
    };
    let found: Vec<_> =
        world.output().conflicts_resolved.into_iter().map(|conflict| conflict.resolution).collect();
    assert_eq!(
        found,
        [
            resolution(claimant("a", 0.9), DecidedBy::PlanOrder),
            resolution(claimant("b", 0.5), DecidedBy::Confidence),
        ]
    );
}

#[test]
fn keys_keep_the_order_in_which_the_plan_brings_them() {
    let world = World::new(AggregationStrategy::Merge)
        .done("a", 1.0, json!({"z": 1, "m": {"y": 1}}))
        .done("b", 1.0, json!({"a": 1, "m": {"b": 1}}));
    assert_eq!(world.output().output.to_string(), r#"{"z":1,"m":{"y":1,"b":1},"a":1}"#);
}

#[test]
fn the_same_value_is_no_conflict() {
    check(
        &[(0.2, json!({"x": 1, "l": [1, 1]})), (0.9, json!({"x": 1, "l": [1, 1]}))],
        json!({"x": 1, "l": [1, 1]}),
        &[],
    );
}

#[test]
fn the_higher_confidence_stands() {
    let conflict =
        "at /x: 1 of `a` (confidence 0.90) stands, 2 of `b` (confidence 0.80) is dropped";
    check(&[(0.9, json!({"x": 1})), (0.8, json!({"x": 2}))], json!({"x": 1}), &[conflict]);
}

#[test]
fn of_equal_confidence_the_later_in_the_plan_stands() {
    check(
        &[(0.5, json!({"x": "old"})), (0.5, json!({"x": "new"}))],
        json!({"x": "new"}),
        &[
            "at /x: \"new\" of `b` (confidence 0.50) stands, \"old\" of `a` (confidence 0.50) is dropped; `b` comes later in \
             the plan",
        ],
    );
}

#[test]
fn every_loser_is_listed() {
    check(
        &[
            (0.5, json!({"x": 1})),
            (0.9, json!({"x": 2})),
            (0.7, json!({"x": 3})),
            (0.1, json!({"x": 2})),
        ],
        json!({"x": 2}),
        &[
            "at /x: 2 of `b` (confidence 0.90) stands, 1 of `a` (confidence 0.50) is dropped",
            "at /x: 2 of `b` (confidence 0.90) stands, 3 of `c` (confidence 0.70) is dropped",
        ],
    );
}

#[test]
fn the_strongest_decides_the_kind_and_all_of_that_kind_are_joined() {
    check(
        &[(0.5, json!({"x": {"p": 1}})), (0.6, json!({"x": 7})), (0.9, json!({"x": {"q": 2}}))],
        json!({"x": {"p": 1, "q": 2}}),
        &[
            "at /x: an object of `c` (confidence 0.90) stands, 7 of `b` (confidence 0.60) is dropped",
        ],
    );
    check(
        &[(0.5, json!({"x": {"p": [1]}})), (0.6, json!({"x": [3]}))],
        json!({"x": [3]}),
        &[
            "at /x: a list of `b` (confidence 0.60) stands, {\"p\":[1]} of `a` (confidence 0.50) is dropped",
        ],
    );
    check(
        &[(0.6, json!({"x": null})), (0.5, json!({"x": [3]}))],
        json!({"x": null}),
        &["at /x: null of `a` (confidence 0.60) stands, [3] of `b` (confidence 0.50) is dropped"],
    );
}

#[test]
fn lists_are_joined_without_repeating_what_is_there() {
    check(
        &[
            (1.0, json!({"l": [1, 2, 2]})),
            (0.1, json!({"l": [2, 3, 3]})),
            (1.0, json!({"l": [3, {"k": 1}]})),
        ],
        json!({"l": [1, 2, 2, 3, 3, {"k": 1}]}),
        &[],
    );
}

#[test]
fn what_is_no_object_stands_under_its_subtask() {
    check(
        &[(1.0, json!("text")), (1.0, json!([1])), (1.0, json!({"n": 1})), (1.0, json!(null))],
        json!({"a": "text", "b": [1], "n": 1, "d": null}),
        &[],
    );
    check(
        &[(1.0, json!("text")), (0.5, json!({"a": 1}))],
        json!({"a": "text"}),
        &["at /a: \"text\" of `a` (confidence 1.00) stands, 1 of `b` (confidence 0.50) is dropped"],
    );
}

#[test]
fn auto_keeps_every_output_of_an_item_under_its_subtask() {
    let image = |digest: &str| json!({ "image": "shop", "digest": digest });
    let made_of = |strategy| {
        World::new(strategy)
            .done_item("amd64", image("x"))
            .done_item("arm64", image("y"))
            .done("join", 1.0, json!({ "images": 2 }))
            .output()
    };
    let kept = made_of(AggregationStrategy::Auto);
    let expected = json!({ "amd64": image("x"), "arm64": image("y"), "images": 2 });
    assert_eq!((kept.output, kept.conflicts_resolved), (expected, vec![]));
    // Who asks for a merge gets one, and is told what it costs.
    let merged = made_of(AggregationStrategy::Merge);
    assert_eq!(merged.output, json!({ "image": "shop", "digest": "y", "images": 2 }));
    assert_eq!(merged.conflicts_resolved.len(), 1);
    // What was not made of a list is merged as ever.
    let plain = World::new(AggregationStrategy::Auto).done("a", 1.0, json!({ "x": 1 })).done(
        "b",
        1.0,
        json!({ "y": 2 }),
    );
    assert_eq!(plain.output().output, json!({ "x": 1, "y": 2 }));
}

#[test]
fn places_are_json_pointers() {
    check(
        &[(1.0, json!({"a/b": {"c~d": 1}})), (0.5, json!({"a/b": {"c~d": 2}}))],
        json!({"a/b": {"c~d": 1}}),
        &[
            "at /a~1b/c~0d: 1 of `a` (confidence 1.00) stands, 2 of `b` (confidence 0.50) is dropped",
        ],
    );
}

#[test]
fn a_confidence_that_is_no_number_is_the_weakest() {
    check(
        &[(0.1, json!({"x": 1})), (f64::NAN, json!({"x": 2}))],
        json!({"x": 1}),
        &["at /x: 1 of `a` (confidence 0.10) stands, 2 of `b` (confidence 0.00) is dropped"],
    );
}
