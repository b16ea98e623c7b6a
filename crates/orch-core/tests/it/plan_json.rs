//! The JSON form of plans: `dependency_graph` is derived, and must agree when it is given.

use std::num::NonZeroUsize;

use orch_core::{ComplexTask, DecompositionPlan, DecompositionRequest, PlanSource, Subtask};
use serde_json::{Value, json};

fn read(graph: Value) -> Result<DecompositionPlan, String> {
    let plan = json!({
        "subtasks": [
            { "id": "a", "description": "A" },
            { "id": "b", "description": "B" },
            { "id": "c", "description": "C", "dependencies": ["a", "b"] },
        ],
        "dependency_graph": graph,
    });
    serde_json::from_value(plan).map_err(|error| error.to_string())
}

#[test]
fn the_graph_is_derived() {
    let plan = DecompositionPlan::new([
        Subtask::new("a", "A", "t"),
        Subtask::new("b", "B", "t").with_dependencies(["a"]),
    ]);
    assert_eq!(
        serde_json::to_value(&plan).unwrap()["dependency_graph"],
        json!({ "a": [], "b": ["a"] })
    );
}

#[test]
fn a_graph_that_agrees_is_accepted() {
    for graph in [
        Value::Null,
        json!({ "a": [], "b": [], "c": ["a", "b"] }),
        json!({ "c": ["b", "a"], "a": [] }),
        json!({ "c": ["a", "b"] }),
    ] {
        let plan = read(graph).unwrap();
        assert_eq!(plan.subtasks[2].dependencies, ["a", "b"]);
    }
}

#[test]
fn a_graph_that_disagrees_is_refused_by_name() {
    for (graph, named) in [
        (json!({}), "c"),
        (json!({ "c": ["a"] }), "c"),
        (json!({ "c": ["a", "b", "c"] }), "c"),
        (json!({ "a": ["b"], "c": ["a", "b"] }), "a"),
        (json!({ "ghost": [], "c": ["a", "b"] }), "ghost"),
    ] {
        let error = read(graph).unwrap_err();
        let expected = format!(
            "dependency_graph and the dependencies of subtask `{named}` disagree; leave dependency_graph out, it is derived"
        );
        assert_eq!(error, expected);
    }
}

#[test]
fn a_plan_may_be_short() {
    let plan: DecompositionPlan =
        serde_json::from_value(json!({ "subtasks": [{ "id": "a", "description": "A" }] })).unwrap();
    assert_eq!(plan, DecompositionPlan::new([Subtask::new("a", "A", "")]));
    assert_eq!(
        (plan.source, plan.confidence, plan.parallelism_factor),
        (PlanSource::Explicit, 1.0, 1.0)
    );
}

#[test]
fn a_request_may_carry_a_given_plan() {
    let task = ComplexTask::new("t", "", "");
    let plan = DecompositionPlan::new([Subtask::new("a", "A", "")]);
    let request = DecompositionRequest::new(&task, &[], NonZeroUsize::MIN);
    assert!(request.given.is_none());
    assert_eq!(request.with_given(Some(&plan)).given, Some(&plan));
}
