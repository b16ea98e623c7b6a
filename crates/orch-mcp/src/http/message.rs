//! Reads the message of a request, as far as must be known before the protocol sees it.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use orch_core::NumberFault;
use serde::Deserialize;

use super::body;
use super::config::HttpLimits;
use super::reply::{later, no_message};
use super::sessions::Sessions;

/// Codes of JSON-RPC.
const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const INVALID_PARAMS: i32 = -32602;

/// How long a client should wait for a place, in seconds.
const WAIT: u64 = 60;

/// What is needed to read messages.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) sessions: Sessions,
    pub(super) limits: HttpLimits,
}

/// What must be known of a message.
#[derive(Deserialize)]
struct Peek {
    method: Option<String>,
}

/// Reads the whole message and passes it on, a handshake only if there is room for one more session.
pub(super) async fn admit(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let limits = &gate.limits;
    let bytes = match body::read(body, limits.body_bytes, limits.client_timeout).await {
        Ok(bytes) => bytes,
        Err(response) => return response,
    };
    if parts.method != Method::POST || !is_json(&parts.headers) {
        return next.run(Request::from_parts(parts, Body::from(bytes))).await;
    }
    let method = match serde_json::from_slice::<Peek>(&bytes) {
        Ok(peek) => peek.method,
        Err(error) if error.is_data() => {
            return no_message(
                INVALID_REQUEST,
                "A body is one message of JSON-RPC; batches are not supported",
            );
        }
        Err(error) => return no_message(PARSE_ERROR, &format!("The body is not JSON: {error}")),
    };
    if let Some(fault) = NumberFault::in_json(&bytes) {
        return no_message(INVALID_PARAMS, &format!("Invalid params: {fault}"));
    }
    let mut permit = None;
    if method.as_deref() == Some("initialize") {
        permit = gate.sessions.room().await;
        if permit.is_none() {
            let sentence =
                "There are as many sessions as there may be: end one, or try again later.";
            return later(StatusCode::SERVICE_UNAVAILABLE, WAIT, sentence);
        }
    }
    let response = next.run(Request::from_parts(parts, Body::from(bytes))).await;
    drop(permit);
    if response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        // The type is JSON: what rmcp could not read is the message.
        return no_message(INVALID_REQUEST, "The body is not a message of the protocol");
    }
    response
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split_once(';').map_or(value, |(kind, _)| kind);
    kind.trim().eq_ignore_ascii_case("application/json")
}
