//! Puts the stops before the protocol in their order.

use std::net::IpAddr;

use axum::Router;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::from_fn_with_state;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::auth::authorize;
use super::config::HttpConfig;
use super::message::{Gate, admit};
use super::origin::origin;
use super::rate::{Rate, limit};
use super::serve::PATH;
use super::sessions::Sessions;
use crate::Server;

/// The loopback hosts, and the origins of programs there.
const HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
const ORIGINS: [&str; 6] = [
    "http://localhost:*",
    "http://127.0.0.1:*",
    "http://[::1]:*",
    "https://localhost:*",
    "https://127.0.0.1:*",
    "https://[::1]:*",
];

/// Headers of the protocol that a page may send.
const SENT: [&str; 5] =
    ["mcp-session-id", "mcp-protocol-version", "mcp-method", "mcp-name", "last-event-id"];

/// Makes the service of a listener at `ip`. `protocol` says when the server stops; the rest of it is set here.
pub(super) fn router(
    server: Server,
    config: &HttpConfig,
    ip: IpAddr,
    protocol: StreamableHttpServerConfig,
) -> Router {
    let limits = config.limits.clone();
    let sessions = Sessions::new(&limits);
    let protocol = protocol
        .with_allowed_hosts(hosts(config, ip))
        .with_allowed_origins(origins(config))
        .with_max_request_body_bytes(limits.body_bytes);
    // A clone shares everything: the stateless era makes one for each request.
    let service =
        StreamableHttpService::new(move || Ok(server.clone()), sessions.manager(), protocol);
    let rate = Rate::new(limits.requests_per_second);
    // The last layer is the first stop.
    Router::new()
        .route_service(PATH, service)
        .layer(from_fn_with_state(Gate { sessions, limits }, admit))
        .layer(from_fn_with_state(rate, limit))
        .layer(from_fn_with_state(config.tokens.clone(), authorize))
        .layer(cors(config))
}

/// A listener at all addresses has no address that a client could name.
fn hosts(config: &HttpConfig, ip: IpAddr) -> Vec<String> {
    let own = (!ip.is_unspecified()).then(|| ip.to_string());
    HOSTS.map(str::to_owned).into_iter().chain(own).chain(config.allowed_hosts.clone()).collect()
}

fn origins(config: &HttpConfig) -> Vec<String> {
    let named = config.allowed_origins.iter().filter_map(|text| Some(origin(text)?.1));
    ORIGINS.map(str::to_owned).into_iter().chain(named).collect()
}

/// Browsers ask before a page calls, and without the token, so that this comes first. Programs at loopback origins are no pages
/// and need no such leave.
fn cors(config: &HttpConfig) -> CorsLayer {
    let named = config.allowed_origins.iter().filter_map(|text| origin(text)?.0.parse().ok());
    let sent = SENT.map(HeaderName::from_static).into_iter().chain([AUTHORIZATION, CONTENT_TYPE]);
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(named.collect::<Vec<HeaderValue>>()))
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers(sent.collect::<Vec<_>>())
        .expose_headers([HeaderName::from_static("mcp-session-id")])
}
