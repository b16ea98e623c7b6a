//! Answers of the stops before the protocol: a status, and a sentence that says what to do.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

/// Refuses a request.
pub(super) fn refused(status: StatusCode, sentence: &str) -> Response {
    (status, format!("{sentence}\n")).into_response()
}

/// Refuses a request for `seconds`.
pub(super) fn later(status: StatusCode, seconds: u64, sentence: &str) -> Response {
    (status, [(RETRY_AFTER, seconds.to_string())], format!("{sentence}\n")).into_response()
}

/// Refuses a message that has no id yet, in the form of JSON-RPC.
pub(super) fn no_message(code: i32, sentence: &str) -> Response {
    let error =
        json!({ "jsonrpc": "2.0", "id": null, "error": { "code": code, "message": sentence } });
    (StatusCode::BAD_REQUEST, [(CONTENT_TYPE, "application/json")], error.to_string())
        .into_response()
}
