//! Quality gates: what a result must fulfil to be accepted.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Cause, Failure, JsonMap, Subtask, WorkerResult};

/// A cheap gate, as a plan writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Gate {
    /// The output is not null, nor an empty list or object, nor a text of nothing but white space.
    NonEmpty,
    /// The output as text (JSON text unless it is a string) has at least this many characters.
    MinLength(u64),
    /// The output as text has at most this many characters.
    MaxLength(u64),
    /// The output is an object with all these keys.
    HasKeys(Vec<String>),
    /// The worker's confidence is at least this many percent, 0 to 100.
    MinConfidencePercent(u8),
}

/// What a gate says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GateVerdict {
    /// Good enough.
    Pass,
    /// Not good enough, with the reason in a sentence.
    Fail(String),
}

/// A check of results. Cheap and pure: it runs within the engine's turn.
pub trait QualityGate: Send + Sync + 'static {
    /// Returns the gate's name, for messages.
    fn name(&self) -> &str {
        "custom"
    }

    /// Checks `result`, which answers `subtask`.
    fn check(&self, subtask: &Subtask, result: &WorkerResult) -> GateVerdict;
}

impl QualityGate for Gate {
    fn name(&self) -> &str {
        match self {
            Self::NonEmpty => "non_empty",
            Self::MinLength(_) => "min_length",
            Self::MaxLength(_) => "max_length",
            Self::HasKeys(_) => "has_keys",
            Self::MinConfidencePercent(_) => "min_confidence_percent",
        }
    }

    fn check(&self, _subtask: &Subtask, result: &WorkerResult) -> GateVerdict {
        let output = &result.output;
        match self {
            Self::NonEmpty => pass_if(!is_empty(output), || "the output is empty".to_owned()),
            Self::MinLength(least) => {
                let length = length(output);
                pass_if(length >= *least, || {
                    format!("the output has {length} characters, at least {least} are needed")
                })
            }
            Self::MaxLength(most) => {
                let length = length(output);
                pass_if(length <= *most, || {
                    format!("the output has {length} characters, at most {most} are allowed")
                })
            }
            Self::HasKeys(keys) => has_keys(output, keys),
            Self::MinConfidencePercent(least) => confidence(result.confidence, *least),
        }
    }
}

/// Checks `result` against the gates of its subtask, then for the artifacts that the subtask asks for, then against `extra`.
///
/// Other metadata is not looked at: a worker that describes its usage badly may still have done good work.
///
/// ```
/// use orch_core::{Cause, Gate, Subtask, WorkerResult, check_gates};
///
/// let subtask = Subtask::new("a", "Say something", "text").with_gates(vec![Gate::NonEmpty]);
/// let failure = check_gates(&subtask, &WorkerResult::success("a", "w", "".into()), &[]).unwrap_err();
/// assert_eq!(failure.cause, Cause::Gate);
/// assert_eq!(failure.message, "gate `non_empty` not passed: the output is empty");
/// ```
///
/// # Errors
/// The failure of the first gate that is not passed: cause `gate`, with the gate's name and its reason in the message, and
/// the name as `gate` in the evidence.
pub fn check_gates(
    subtask: &Subtask,
    result: &WorkerResult,
    extra: &[Arc<dyn QualityGate>],
) -> Result<(), Failure> {
    let own = subtask.gates.iter().map(|gate| gate as &dyn QualityGate);
    let gates = own.chain([&Artifacts as &dyn QualityGate]).chain(extra.iter().map(|g| &**g));
    for gate in gates {
        if let GateVerdict::Fail(reason) = gate.check(subtask, result) {
            let name = gate.name();
            let evidence =
                [("gate".to_owned(), Value::from(name))].into_iter().collect::<JsonMap>();
            let message = format!("gate `{name}` not passed: {reason}");
            return Err(Failure::new(Cause::Gate, message).with_evidence(evidence));
        }
    }
    Ok(())
}

/// The gate behind [`Subtask::artifacts`]: all of them are listed in the result's metadata.
struct Artifacts;

impl QualityGate for Artifacts {
    fn name(&self) -> &str {
        "artifacts"
    }

    fn check(&self, subtask: &Subtask, result: &WorkerResult) -> GateVerdict {
        if subtask.artifacts.is_empty() {
            return GateVerdict::Pass;
        }
        let listed = match result.artifacts() {
            Ok(listed) => listed,
            Err(error) => return GateVerdict::Fail(format!("{error}: {}", error.source)),
        };
        let missing =
            subtask.artifacts.iter().filter(|name| listed.iter().all(|a| a.name != **name));
        pass_if_none(missing, "metadata.artifacts does not list")
    }
}

fn pass_if(passed: bool, reason: impl FnOnce() -> String) -> GateVerdict {
    if passed { GateVerdict::Pass } else { GateVerdict::Fail(reason()) }
}

fn pass_if_none<'a>(missing: impl Iterator<Item = &'a String>, complaint: &str) -> GateVerdict {
    let missing: Vec<_> = missing.map(|name| format!("`{name}`")).collect();
    pass_if(missing.is_empty(), || format!("{complaint} {}", missing.join(", ")))
}

fn is_empty(output: &Value) -> bool {
    match output {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Returns the number of characters of the output as text.
fn length(output: &Value) -> u64 {
    let count = match output.as_str() {
        Some(text) => text.chars().count(),
        None => output.to_string().chars().count(),
    };
    count as u64
}

fn has_keys(output: &Value, keys: &[String]) -> GateVerdict {
    match output.as_object() {
        Some(map) => {
            pass_if_none(keys.iter().filter(|key| !map.contains_key(*key)), "the output has no")
        }
        None => GateVerdict::Fail("the output is not an object".to_owned()),
    }
}

fn confidence(confidence: f64, least_percent: u8) -> GateVerdict {
    if !(0.0..=1.0).contains(&confidence) {
        let reason = format!("the confidence {confidence} is not a number from 0 to 1");
        return GateVerdict::Fail(reason);
    }
    // Divided, not multiplied: 0.29 * 100 is less than 29.
    pass_if(confidence >= f64::from(least_percent) / 100.0, || {
        format!("the confidence is {confidence}, below {least_percent} percent")
    })
}
