//! The tools' arguments. Unknown ones are refused, with the nearest known name.

use orch_core::{
    AggregationStrategy, Constraints, ExecutionStrategy, JsonMap, RequestKey, SubtaskId,
    WorkerName, nearest,
};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::answer::short;
use crate::error::ToolError;
use crate::mode::Mode;

/// Arguments of `alma_delegate_task`. Written as JSON they are the body of the request, by which it is known again.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Delegate {
    pub(crate) task: String,
    pub(crate) task_type: Option<String>,
    #[serde(default)]
    pub(crate) context: JsonMap,
    #[serde(default)]
    pub(crate) subtasks: Vec<SubtaskArg>,
    #[serde(default)]
    pub(crate) workers: Vec<WorkerName>,
    #[serde(default)]
    pub(crate) mode: Mode,
    pub(crate) constraints: Option<Constraints>,
    pub(crate) strategy: Option<ExecutionStrategy>,
    pub(crate) aggregation: Option<AggregationStrategy>,
    pub(crate) deadline: Option<String>,
    pub(crate) budget: Option<BudgetArg>,
    #[serde(skip_serializing)]
    pub(crate) request_key: Option<String>,
}

/// A subtask of a given plan.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SubtaskArg {
    pub(crate) id: SubtaskId,
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) task_type: String,
    #[serde(default)]
    pub(crate) dependencies: Vec<SubtaskId>,
    pub(crate) worker: Option<WorkerName>,
    #[serde(default)]
    pub(crate) context: JsonMap,
    pub(crate) priority: Option<u8>,
    pub(crate) required: Option<bool>,
}

/// What a run may use up.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BudgetArg {
    pub(crate) max_cost_usd: Option<f64>,
    pub(crate) max_tokens: Option<u64>,
}

/// Arguments of `alma_report_subtask`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Report {
    pub(crate) orchestration_id: String,
    pub(crate) subtask_id: SubtaskId,
    pub(crate) attempt: Option<String>,
    pub(crate) result: Option<Value>,
    pub(crate) result_file: Option<String>,
    #[serde(default, deserialize_with = "flag")]
    pub(crate) success: Option<bool>,
    pub(crate) error_message: Option<String>,
    pub(crate) cause: Option<String>,
    pub(crate) worker: Option<WorkerName>,
    pub(crate) usage: Option<UsageArg>,
    #[serde(default)]
    pub(crate) lessons: Vec<String>,
    #[serde(default)]
    pub(crate) next: Next,
    pub(crate) request_key: Option<RequestKey>,
}

/// What a report hands out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Next {
    /// All that became ready.
    #[default]
    All,
    /// At most one, for the worker that reports.
    Own,
    /// Nothing.
    None,
}

/// What an attempt used.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UsageArg {
    pub(crate) input_tokens: Option<u64>,
    pub(crate) output_tokens: Option<u64>,
    pub(crate) cost_usd: Option<f64>,
}

/// Arguments of `alma_claim_subtask`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claim {
    pub(crate) orchestration_id: String,
    pub(crate) subtask_id: Option<SubtaskId>,
    pub(crate) worker: Option<WorkerName>,
    pub(crate) slots: Option<u32>,
    pub(crate) request_key: Option<RequestKey>,
}

/// Arguments of `alma_orchestration_status`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Status {
    pub(crate) orchestration_id: Option<String>,
    pub(crate) subtask_id: Option<SubtaskId>,
    #[serde(default)]
    pub(crate) wait_s: u64,
    #[serde(default)]
    pub(crate) resume: bool,
    #[serde(default)]
    pub(crate) detail: bool,
    pub(crate) cursor: Option<String>,
}

/// Arguments of `alma_cancel_orchestration`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cancel {
    pub(crate) orchestration_id: String,
}

/// Reads a truth value; some clients write it as a text.
fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    let value = Option::<Value>::deserialize(deserializer)?;
    match &value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(Value::String(word)) if word.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Some(Value::String(word)) if word.eq_ignore_ascii_case("false") => Ok(Some(false)),
        Some(Value::String(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Err(D::Error::custom("`success` must be true or false"))
        }
    }
}

/// Reads the arguments of a call.
pub(crate) fn read<T: DeserializeOwned>(arguments: Option<JsonMap>) -> Result<T, ToolError> {
    let value = Value::Object(arguments.unwrap_or_default());
    serde_path_to_error::deserialize(value).map_err(|error| {
        let place = error.path().to_string();
        ToolError::Arguments(advise(&place, &error.inner().to_string()))
    })
}

/// Says what is wrong, where, and what would be right.
fn advise(place: &str, message: &str) -> String {
    let value =
        ["invalid type: ", "invalid value: "].iter().find_map(|it| message.strip_prefix(it));
    if let Some((found, expected)) = value.and_then(|value| value.rsplit_once(", expected ")) {
        let (found, expected) = (found_kind(found), expected_kind(expected));
        return format!("Wrong arguments: `{place}` must be {expected}, not {found}.");
    }
    let unknown = ["unknown field `", "unknown variant `"]
        .iter()
        .find_map(|start| message.strip_prefix(start)?.split('`').next());
    // Serde lists the known words in backticks after "expected".
    let known = message.split_once("expected ").map_or("", |(_, rest)| rest);
    let near = unknown.and_then(|word| nearest(word, known.split('`').skip(1).step_by(2)));
    // Of a field that is not known the place is the object that has it.
    let place = match unknown.and_then(|word| place.strip_suffix(word)) {
        Some(parent) => parent.trim_end_matches('.'),
        None => place,
    };
    let place = if matches!(place, "" | ".") { String::new() } else { format!(" in `{place}`") };
    match near {
        Some(near) => format!("Wrong arguments{place}: {message}; did you mean `{near}`?"),
        None => format!("Wrong arguments{place}: {message}. Correct them and call again."),
    }
}

/// Returns JSON's word for what serde expects.
fn expected_kind(expected: &str) -> &str {
    match expected {
        "u8" | "u32" | "u64" | "usize" => "a whole number from 0 up",
        "f64" => "a number",
        "a sequence" => "a list",
        "a map" => "an object",
        "a boolean" => "true or false",
        other if other.starts_with("struct ") => "an object",
        other => other,
    }
}

/// Returns JSON's word for what serde has found.
fn found_kind(found: &str) -> String {
    match found {
        "map" => "an object".to_owned(),
        "sequence" => "a list".to_owned(),
        "null" => "null".to_owned(),
        other => format!("the {}", short(other, 100)),
    }
}

/// Refuses texts that say nothing.
pub(crate) fn not_blank(field: &str, text: &str) -> Result<(), ToolError> {
    if text.trim().is_empty() {
        return Err(ToolError::Arguments(format!(
            "`{field}` is empty; say in words what is to be done."
        )));
    }
    Ok(())
}
