//! Results on their way into the journal and back: digests, and large outputs as blobs.

use std::sync::Arc;

use orch_core::journal::{Blob, Journal, JournalError};
use orch_core::{BlobRef, Digest, StoredResult, WorkerResult};
use serde_json::Value;

/// Outputs whose JSON is longer than this are kept as blobs, in bytes.
const INLINE_LIMIT: usize = 16 * 1024;

/// A result, ready to be reported.
pub(crate) struct Reported {
    pub(crate) digest: Digest,
    pub(crate) body: Arc<StoredResult>,
    pub(crate) blob: Option<Blob>,
}

/// Prepares a result for the journal. Two reports are the same when success, output and error message are.
pub(crate) fn reported(mut result: WorkerResult) -> Reported {
    // A `Value` and a text always have a JSON form.
    let parts = (result.success, &result.output, &result.error_message);
    let digest = Digest::of_json(&parts).unwrap_or(Digest::of_bytes(&[]));
    let blob = take_large(&mut result.output);
    let stored = StoredResult { result: Arc::new(result), blob: blob.as_ref().map(|b| b.name) };
    Reported { digest, body: Arc::new(stored), blob }
}

/// Takes a large output out of its place.
pub(crate) fn take_large(output: &mut Value) -> Option<Blob> {
    if !may_be_large(output, &mut INLINE_LIMIT.clone()) {
        return None;
    }
    let bytes = serde_json::to_vec(output).ok()?;
    if bytes.len() <= INLINE_LIMIT {
        return None;
    }
    *output = Value::Null;
    Some(Blob::new(bytes))
}

/// Estimates from below whether `value` could exceed what is left, without writing it out.
fn may_be_large(value: &Value, left: &mut usize) -> bool {
    // A text may grow sixfold when it is escaped.
    let size = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 25,
        Value::String(text) => text.len() * 6 + 2,
        Value::Array(items) => {
            return items.iter().any(|item| may_be_large(item, left)) || spend(left, 2);
        }
        Value::Object(map) => {
            return map
                .iter()
                .any(|(key, item)| spend(left, key.len() * 6 + 4) || may_be_large(item, left))
                || spend(left, 2);
        }
    };
    spend(left, size)
}

fn spend(left: &mut usize, size: usize) -> bool {
    match left.checked_sub(size) {
        Some(rest) => {
            *left = rest;
            false
        }
        None => true,
    }
}

/// Loads a large output.
pub(crate) async fn load_output(
    journal: &dyn Journal,
    name: BlobRef,
) -> Result<Value, JournalError> {
    let bytes = journal.blob(name).await?;
    serde_json::from_slice(&bytes).map_err(|error| JournalError::Corrupt {
        what: format!("blob {}", name.hash),
        reason: error.to_string(),
    })
}

/// Returns a result with its output in place.
pub(crate) async fn whole(
    journal: &dyn Journal,
    stored: &StoredResult,
) -> Result<Arc<WorkerResult>, JournalError> {
    match stored.blob {
        None => Ok(stored.result.clone()),
        Some(name) => {
            let output = load_output(journal, name).await?;
            Ok(Arc::new((*stored.result).clone().with_output(output)))
        }
    }
}
