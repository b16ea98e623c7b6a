//! What columns mean.

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_core::WorkerName;
use orch_core::learned::WorkerSummary;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::MemoryError;

/// Reads JSON; `what` names the row.
pub(super) fn decode<T: DeserializeOwned>(
    json: &str,
    what: impl Fn() -> String,
) -> Result<T, MemoryError> {
    serde_json::from_str(json)
        .map_err(|error| MemoryError::Corrupt { what: what(), source: error.into() })
}

/// Writes JSON.
pub(super) fn encode<T: Serialize>(value: &T) -> Result<String, MemoryError> {
    serde_json::to_string(value).map_err(|error| MemoryError::Store {
        doing: "write what was learned",
        source: error.into(),
    })
}

/// Reads the summaries of all workers at a type.
pub(super) fn summaries(
    (task_type, json): (String, String),
) -> Result<(Arc<str>, BTreeMap<WorkerName, WorkerSummary>), MemoryError> {
    let known = decode(&json, || format!("what is known of workers at `{task_type}`"))?;
    Ok((task_type.into(), known))
}
