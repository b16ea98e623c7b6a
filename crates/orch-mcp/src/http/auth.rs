//! Lets in who has a token of this project.

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use super::reply::refused;
use super::tokens::{Tokens, Whose};

/// Checks the token of a request. Without tokens everybody is let in: the listener is at a loopback address.
pub(super) async fn authorize(
    State(tokens): State<Option<Tokens>>,
    mut request: Request,
    next: Next,
) -> Response {
    // Taken out: what comes after may log the head of a request.
    let sent = request.headers_mut().remove(AUTHORIZATION);
    let Some(tokens) = tokens else { return next.run(request).await };
    let Some(token) = sent.as_ref().and_then(bearer) else {
        return challenge("Bearer", "Send a token of this project: `Authorization: Bearer TOKEN`.");
    };
    match tokens.whose_token(token) {
        Whose::Ours => next.run(request).await,
        Whose::Foreign => refused(StatusCode::FORBIDDEN, "The token is another project's."),
        Whose::Nobody => {
            challenge("Bearer error=\"invalid_token\"", "The token is not known here.")
        }
    }
}

fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

fn challenge(challenge: &'static str, sentence: &str) -> Response {
    let mut response = refused(StatusCode::UNAUTHORIZED, sentence);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    response
}
