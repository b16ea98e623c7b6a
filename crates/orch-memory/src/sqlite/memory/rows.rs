//! What columns mean.

use orch_core::learned::WorkerStats;
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

/// Puts together what stands in two columns, so that one of them can be read alone.
pub(super) fn worker(
    history: &str,
    details: &str,
    what: impl Fn() -> String,
) -> Result<WorkerStats, MemoryError> {
    let mut stats: WorkerStats = decode(details, &what)?;
    stats.history = decode(history, what)?;
    Ok(stats)
}

/// The other way round: history and details.
pub(super) fn columns(mut stats: WorkerStats) -> Result<(String, String), MemoryError> {
    let history = encode(&std::mem::take(&mut stats.history))?;
    Ok((history, encode(&stats)?))
}
