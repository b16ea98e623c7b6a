//! What holds for every set of outputs.

use orch_core::{AggregationStrategy, Conflict};
use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::world::World;

fn scalars() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..5_i64).prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
    ]
}

/// Values with few keys, so that many places are claimed twice.
fn values() -> impl Strategy<Value = Value> {
    scalars().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            objects(inner),
        ]
    })
}

fn objects(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let entries = proptest::collection::btree_map("[k-n/~]", inner, 0..3);
    entries.prop_map(|entries| Value::Object(entries.into_iter().collect()))
}

fn world(outputs: impl IntoIterator<Item = (f64, Value)>) -> World {
    let outputs = outputs.into_iter().enumerate();
    outputs.fold(World::new(AggregationStrategy::Merge), |world, (i, (confidence, output))| {
        world.done(&format!("s{i}"), confidence, output)
    })
}

/// Returns every scalar, empty object and list element with the place of the innermost object that leads to it.
fn leaves(value: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let key = key.replace('~', "~0").replace('/', "~1");
                leaves(value, &format!("{path}/{key}"), found);
            }
        }
        Value::Array(elements) => {
            found.extend(elements.iter().map(|element| (path.to_owned(), element.clone())));
        }
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            found.push((path.to_owned(), value.clone()));
        }
    }
}

fn is_in_output(output: &Value, path: &str, leaf: &Value) -> bool {
    match output.pointer(path) {
        Some(Value::Array(elements)) => elements.contains(leaf),
        Some(Value::Object(_)) => leaf.is_object(),
        Some(value) => value == leaf,
        None => false,
    }
}

fn is_in_conflict(conflicts: &[Conflict], subtask: &str, path: &str, leaf: &Value) -> bool {
    conflicts.iter().any(|conflict| {
        let (place, rest) = conflict.sentence[3..].split_once(": ").expect("`at PLACE: ...`");
        let (_, lost) = rest.split_once(" stands, ").expect("`... stands, ...`");
        path.starts_with(place)
            && lost.contains(&leaf.to_string())
            && lost.contains(&format!("of `{subtask}`"))
    })
}

proptest! {
    #[test]
    fn nothing_is_lost(outputs in proptest::collection::vec((0.0..=1.0, values()), 0..5)) {
        let world = world(outputs);
        let merged = world.output();
        for result in &world.results {
            let root = if result.output.is_object() {
                String::new()
            } else {
                format!("/{}", result.subtask_id)
            };
            let mut found = Vec::new();
            leaves(&result.output, &root, &mut found);
            for (path, leaf) in found {
                prop_assert!(
                    is_in_output(&merged.output, &path, &leaf)
                        || is_in_conflict(&merged.conflicts_resolved, result.subtask_id.as_str(), &path, &leaf),
                    "{leaf} of {} at {path} is neither in {} nor in {:?}",
                    result.subtask_id, merged.output, merged.conflicts_resolved,
                );
            }
        }
    }

    #[test]
    fn the_output_says_nothing_that_no_result_said(outputs in proptest::collection::vec((0.0..=1.0, objects(values())), 0..5)) {
        let world = world(outputs);
        let mut said = Vec::new();
        for result in &world.results {
            leaves(&result.output, "", &mut said);
        }
        let mut found = Vec::new();
        leaves(&world.output().output, "", &mut found);
        found.retain(|(path, _)| !path.is_empty()); // The root is an object even when nobody said anything.
        for leaf in found {
            prop_assert!(said.contains(&leaf), "{leaf:?}");
        }
    }

    #[test]
    fn merging_with_itself_changes_nothing(
        output in objects(values()), first in 0.0..=1.0, second in 0.0..=1.0,
    ) {
        let merged = world([(first, output.clone()), (second, output.clone())]).output();
        prop_assert_eq!(merged.output, output);
        prop_assert!(merged.conflicts_resolved.is_empty());
    }

    #[test]
    fn disjoint_objects_merge_in_any_order_to_the_same(
        values in proptest::collection::vec((0.0..=1.0, values()), 0..5),
        shuffle in any::<prop::sample::Index>(),
    ) {
        let mut outputs: Vec<(f64, Value)> = values
            .into_iter()
            .enumerate()
            .map(|(i, (confidence, value))| (confidence, Value::Object(Map::from_iter([(format!("k{i}"), value)]))))
            .collect();
        let merged = world(outputs.clone()).output();
        if !outputs.is_empty() {
            let by = shuffle.index(outputs.len());
            outputs.rotate_left(by);
        }
        let shuffled = world(outputs).output();
        prop_assert_eq!(merged.output, shuffled.output);
        prop_assert!(merged.conflicts_resolved.is_empty() && shuffled.conflicts_resolved.is_empty());
    }

    #[test]
    fn without_lists_the_order_counts_only_between_equal_confidences(
        a in objects(scalars()), b in objects(scalars()), c in objects(scalars()),
    ) {
        let outputs = [(0.2, a), (0.5, b), (0.8, c)];
        let mut reversed = outputs.clone();
        reversed.reverse();
        prop_assert_eq!(world(outputs).output().output, world(reversed).output().output);
    }
}
