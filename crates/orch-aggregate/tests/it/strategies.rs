//! Strategies, failures and confidence, case by case.

use orch_aggregate::{Incomplete, ResultAggregator};
use orch_core::{AggregateError, AggregationStrategy, WorkerResult};
use serde_json::json;

use crate::world::World;

#[test]
fn concatenate_lists_all_outputs_in_plan_order() {
    let world = World::new(AggregationStrategy::Concatenate)
        .done("b", 0.8, json!("text"))
        .failed("x", None)
        .done("a", 0.4, json!({"n": 1}));
    let result = world.output();
    assert_eq!(
        result.output,
        json!([
            {"subtask_id": "b", "worker_name": "w-b", "output": "text"},
            {"subtask_id": "a", "worker_name": "w-a", "output": {"n": 1}},
        ])
    );
    assert_eq!(result.source_results, world.results);
    assert_eq!(result.failed_subtasks, ["x"]);
    assert!(result.conflicts_resolved.is_empty());
}

#[test]
fn without_results_the_output_is_empty_and_nothing_is_sure() {
    for (strategy, expected) in
        [(AggregationStrategy::Concatenate, json!([])), (AggregationStrategy::Merge, json!({}))]
    {
        for world in [World::new(strategy), World::new(strategy).failed("x", None)] {
            let result = world.output();
            assert_eq!((result.output, result.confidence), (expected.clone(), 0.0));
        }
    }
}

#[test]
fn confidence_is_mean_confidence_times_success_ratio() {
    let world =
        || World::new(AggregationStrategy::Merge).done("a", 1.0, json!(1)).done("b", 0.5, json!(2));
    let check = |world: World, expected: f64| {
        let confidence = world.output().confidence;
        assert!((confidence - expected).abs() < 1e-12, "{confidence}, not {expected}");
    };
    check(world(), 0.75);
    check(world().failed("x", None), 0.5);
    check(world().failed("x", Some(true)).failed("y", None), 0.375);
    check(world().failed("x", Some(false)), 0.75);
    check(world().done("c", f64::NAN, json!(3)), 0.5);
    check(world().done("c", 7.0, json!(3)), 2.5 / 3.0);
    check(world().done("c", -7.0, json!(3)), 0.5);
}

#[test]
fn a_result_that_says_it_failed_gets_into_no_output() {
    let mut world = World::new(AggregationStrategy::Merge).done("a", 1.0, json!({"n": 1}));
    world = world.done("b", 1.0, json!(0)).failed("c", None);
    world.results[1] =
        WorkerResult::failure("b", "w-b", "no luck").with_output(json!({"n": 2})).into();
    let result = world.output();
    assert_eq!(result.output, json!({"n": 1}));
    assert_eq!(result.failed_subtasks, ["b", "c"]);
    assert_eq!(result.source_results, world.results[..1]);
    assert!(result.conflicts_resolved.is_empty());
}

#[test]
fn without_allow_partial_a_failure_that_counts_leaves_no_output() {
    let mut world = World::new(AggregationStrategy::Merge)
        .done("a", 1.0, json!({"n": 1}))
        .failed("x", None)
        .failed("y", Some(false))
        .failed("z", Some(true));
    assert!(world.aggregate().is_ok());

    world.settings = world.settings.with_allow_partial(false);
    let Err(AggregateError::Failed(source)) = world.aggregate() else {
        panic!("no output expected")
    };
    assert_eq!(source.to_string(), "allow_partial is off and there is no result of `x`, `z`");
    assert_eq!(source.downcast_ref::<Incomplete>().unwrap().failed, ["x", "z"]);

    world.failed = vec!["y".into()];
    assert_eq!(world.output().output, json!({"n": 1}));
}

#[test]
fn what_is_not_there_is_refused_with_what_is() {
    let counting = || ResultAggregator::new().with_custom(|input| Ok(input.results.len().into()));
    for (aggregator, strategy, expected) in [
        (ResultAggregator::new(), AggregationStrategy::Vote, "concatenate, merge"),
        (ResultAggregator::new(), AggregationStrategy::Reduce, "concatenate, merge"),
        (ResultAggregator::new(), AggregationStrategy::Custom, "concatenate, merge"),
        (counting(), AggregationStrategy::Vote, "concatenate, merge, custom"),
    ] {
        let mut world = World::new(strategy).done("a", 1.0, json!(1));
        world.aggregator = aggregator;
        assert_eq!(
            world.aggregate().unwrap_err().to_string(),
            format!(
                "aggregation strategy `{strategy}` is not available here; available: {expected}"
            )
        );
    }
}

#[test]
fn a_function_of_the_user_makes_the_output() {
    let mut world = World::new(AggregationStrategy::Custom)
        .done("a", 0.5, json!(2))
        .failed("x", None)
        .done("b", 0.5, json!(3));
    world.aggregator = ResultAggregator::new().with_custom(|input| {
        let sum = input.results.iter().filter_map(|r| r.output.as_i64()).sum::<i64>();
        Ok(json!({"sum": sum, "missing": input.failed, "task": input.task.id}))
    });
    let result = world.output();
    assert_eq!(result.output, json!({"sum": 5, "missing": ["x"], "task": "t"}));
    assert_eq!(result.failed_subtasks, ["x"]);
    assert!(format!("{:?}", world.aggregator).contains("custom: true"));

    world.aggregator = ResultAggregator::new().with_custom(|_| Err("no sum".into()));
    let Err(AggregateError::Failed(source)) = world.aggregate() else {
        panic!("no output expected")
    };
    assert_eq!(source.to_string(), "no sum");
}
