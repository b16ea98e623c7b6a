//! Gates let good results through and say why others are not.

use std::sync::Arc;

use orch_core::{
    Artifact, Cause, FailureType, Gate, GateVerdict, QualityGate, Subtask, WorkerResult,
    check_gates,
};
use serde_json::{Value, json};

fn result(output: Value) -> WorkerResult {
    WorkerResult::success("a", "w", output)
}

#[track_caller]
fn check(gate: Gate, result: &WorkerResult, expected: Option<&str>) {
    let subtask = Subtask::new("a", "", "").with_gates(vec![gate.clone()]);
    let expected = expected.map(|reason| format!("gate `{}` not passed: {reason}", gate.name()));
    let message = check_gates(&subtask, result, &[]).err().map(|failure| failure.message);
    assert_eq!(message, expected, "{gate:?} on {}", result.output);
}

#[test]
fn outputs() {
    let empty = Some("the output is empty");
    let three = Some("the output has 2 characters, at least 3 are needed");
    let one = Some("the output has 2 characters, at most 1 are allowed");
    let keys = || Gate::HasKeys(vec!["a".to_owned(), "b".to_owned()]);
    for (gate, output, expected) in [
        (Gate::NonEmpty, json!(null), empty),
        (Gate::NonEmpty, json!(""), empty),
        (Gate::NonEmpty, json!(" \n\t"), empty),
        (Gate::NonEmpty, json!([]), empty),
        (Gate::NonEmpty, json!({}), empty),
        (Gate::NonEmpty, json!("x"), None),
        (Gate::NonEmpty, json!([null]), None),
        (Gate::NonEmpty, json!({ "a": null }), None),
        (Gate::NonEmpty, json!(0), None),
        (Gate::NonEmpty, json!(false), None),
        (Gate::MinLength(3), json!("\u{e4}\u{1F980}"), three),
        (Gate::MinLength(2), json!("\u{e4}\u{1F980}"), None),
        (Gate::MinLength(3), json!([]), three),
        (Gate::MinLength(2), json!([]), None),
        (Gate::MinLength(4), json!(null), None),
        (Gate::MaxLength(1), json!("ab"), one),
        (Gate::MaxLength(2), json!("ab"), None),
        (Gate::MaxLength(1), json!({}), one),
        (Gate::MaxLength(0), json!(""), None),
        (keys(), json!({ "a": 1, "b": null, "c": 2 }), None),
        (keys(), json!({ "a": 1 }), Some("the output has no `b`")),
        (keys(), json!({}), Some("the output has no `a`, `b`")),
        (keys(), json!(["a", "b"]), Some("the output is not an object")),
        (Gate::HasKeys(vec![]), json!({}), None),
    ] {
        check(gate, &result(output), expected);
    }
}

#[test]
fn confidence() {
    for (percent, confidence, expected) in [
        (80, 0.8, None),
        (29, 0.29, None),
        (58, 0.58, None),
        (0, 0.0, None),
        (100, 1.0, None),
        (80, 0.79, Some("the confidence is 0.79, below 80 percent")),
        (1, f64::NAN, Some("the confidence NaN is not a number from 0 to 1")),
        (0, f64::INFINITY, Some("the confidence inf is not a number from 0 to 1")),
        (50, 1.5, Some("the confidence 1.5 is not a number from 0 to 1")),
        (0, -0.1, Some("the confidence -0.1 is not a number from 0 to 1")),
    ] {
        let gate = Gate::MinConfidencePercent(percent);
        check(gate, &result(json!("x")).with_confidence(confidence), expected);
    }
}

fn listing(metadata: Value) -> WorkerResult {
    result(json!("x")).with_metadata(metadata.as_object().unwrap().clone())
}

#[test]
fn artifacts_must_be_listed() {
    let subtask =
        Subtask::new("a", "", "").with_artifacts(vec!["report".to_owned(), "log".to_owned()]);
    let uri = |name: &str| serde_json::to_value(Artifact::new(name, "file:///x")).unwrap();
    for (metadata, expected) in [
        (json!({ "artifacts": [uri("log"), uri("more"), uri("report")] }), None),
        (json!({ "artifacts": [uri("log")] }), Some("metadata.artifacts does not list `report`")),
        (json!({}), Some("metadata.artifacts does not list `report`, `log`")),
        (
            json!({ "artifacts": "report" }),
            Some(
                "metadata.artifacts does not have its well-known shape: invalid type: string \"report\", expected a sequence",
            ),
        ),
    ] {
        let failure = check_gates(&subtask, &listing(metadata), &[]).err();
        let expected = expected.map(|reason| format!("gate `artifacts` not passed: {reason}"));
        assert_eq!(failure.map(|f| f.message), expected);
    }
    // Who asks for none may get anything.
    let none = Subtask::new("a", "", "");
    let odd = listing(json!({ "artifacts": 7, "usage": "much" }));
    assert_eq!(check_gates(&none, &odd, &[]), Ok(()));
}

/// Fails every result, with its own name.
struct Never(&'static str);

impl QualityGate for Never {
    fn name(&self) -> &str {
        self.0
    }

    fn check(&self, subtask: &Subtask, _result: &WorkerResult) -> GateVerdict {
        GateVerdict::Fail(format!("never `{}`", subtask.id))
    }
}

/// Passes every result, and has no name.
struct Always;

impl QualityGate for Always {
    fn check(&self, _subtask: &Subtask, _result: &WorkerResult) -> GateVerdict {
        GateVerdict::Pass
    }
}

#[test]
fn the_first_gate_that_fails_is_named() {
    let extra: [Arc<dyn QualityGate>; 3] =
        [Arc::new(Always), Arc::new(Never("first")), Arc::new(Never("second"))];
    let mut subtask = Subtask::new("a", "", "");
    let named = |subtask: &Subtask| {
        let failure = check_gates(subtask, &result(json!("")), &extra).unwrap_err();
        assert_eq!((failure.cause, failure.failure_type), (Cause::Gate, FailureType::Quality));
        assert!(failure.message.contains(failure.evidence["gate"].as_str().unwrap()));
        failure.evidence["gate"].as_str().unwrap().to_owned()
    };
    assert_eq!(named(&subtask), "first");
    subtask.artifacts = vec!["report".to_owned()];
    assert_eq!(named(&subtask), "artifacts");
    subtask.gates = vec![Gate::MaxLength(9), Gate::NonEmpty, Gate::MinLength(1)];
    assert_eq!(named(&subtask), "non_empty");
    assert_eq!(check_gates(&Subtask::new("a", "", ""), &result(json!("")), &extra[..1]), Ok(()));
    assert_eq!(Always.name(), "custom");
}

#[test]
fn names_are_those_of_the_json_form() {
    for gate in [
        Gate::NonEmpty,
        Gate::MinLength(1),
        Gate::MaxLength(1),
        Gate::HasKeys(vec![]),
        Gate::MinConfidencePercent(1),
    ] {
        let json = serde_json::to_value(&gate).unwrap();
        let name = json.as_str().or_else(|| json.as_object()?.keys().next().map(String::as_str));
        assert_eq!(name, Some(gate.name()));
    }
}
