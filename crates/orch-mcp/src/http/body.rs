//! Reads bodies: of bounded length, within bounded time.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::Response;
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use super::reply::refused;

/// Reads a body whole, or answers why not.
pub(super) async fn read(body: Body, most: usize, within: Duration) -> Result<Bytes, Response> {
    match timeout(within, collect(body, most)).await {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => {
            let sentence =
                format!("A message has at most {most} bytes: pass long results as `result_file`.");
            Err(refused(StatusCode::PAYLOAD_TOO_LARGE, &sentence))
        }
        Ok(Err(_)) => Err(refused(StatusCode::BAD_REQUEST, "The body broke off.")),
        Err(_) => Err(refused(StatusCode::REQUEST_TIMEOUT, "The body took too long.")),
    }
}

/// Returns `None` when there are more than `most` bytes. The rest is read then, but not kept: only a client that is done sending
/// is sure to see the answer.
async fn collect(mut body: Body, most: usize) -> Result<Option<Bytes>, axum::Error> {
    let mut kept = Some(Vec::new());
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        kept = kept.filter(|bytes| bytes.len() + data.len() <= most);
        if let Some(bytes) = &mut kept {
            bytes.extend_from_slice(&data);
        }
    }
    Ok(kept.map(Bytes::from))
}
