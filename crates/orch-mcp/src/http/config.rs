//! What a server over HTTP lets in, and how much of it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use thiserror::Error;

use super::origin::{is_authority, origin};
use super::tokens::Tokens;

/// How a server over HTTP is set up. The default serves programs of this machine, without a token.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct HttpConfig {
    /// Who may call. `None` lets everybody in, and is refused unless the listener is at a loopback address.
    pub tokens: Option<Tokens>,
    /// Names, with or without a port, that a request may give the server in `Host`, besides `localhost`, the loopback
    /// addresses and the address of the listener.
    pub allowed_hosts: Vec<String>,
    /// Origins (`https://app.example.com`, `https://app.example.com:8443`) whose pages may call, besides programs at loopback
    /// origins. Only these get CORS headers.
    pub allowed_origins: Vec<String>,
    /// The bounds.
    pub limits: HttpLimits,
}

/// The bounds of a server over HTTP.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HttpLimits {
    /// Open connections (256). One more is answered with 503.
    pub connections: usize,
    /// Requests per second (500) of all who may call, in bursts of at most as many. One more is answered with 429.
    pub requests_per_second: u32,
    /// Sessions of the handshake era (256). One more is answered with 503.
    pub sessions: usize,
    /// How long a session lasts without a message (2 h).
    pub session_idle: Duration,
    /// Bytes of a request's head (16 KiB); more is answered with 431. At least 8 KiB are allowed, whatever this says.
    pub head_bytes: usize,
    /// Header fields of a request (64); more are answered with 431.
    pub head_fields: usize,
    /// Bytes of a request's body (8 MiB); more are answered with 413.
    pub body_bytes: usize,
    /// How long a client may take to send a head (30 s), again to send a body, and to take what is sent to it (Linux only: by
    /// the kernel's `TCP_USER_TIMEOUT`); also how long a connection may wait for its next request. After that it is closed.
    pub client_timeout: Duration,
    /// How long answers get to reach their clients when the server stops (1 s).
    pub drain: Duration,
}

/// Why a server over HTTP does not start.
#[derive(Debug, Error)]
pub enum HttpError {
    /// Anybody could call.
    #[error(
        "{0} can be reached from other machines, and no token is set: set ORCH_MCP_TOKEN or pass --token-file FILE, or listen at 127.0.0.1"
    )]
    Unprotected(SocketAddr),
    /// An allowed host that none can have.
    #[error(
        "`{0}` is not a host: write a name and optionally a port, for example mcp.example.com:8443"
    )]
    Host(String),
    /// An allowed origin that none can have.
    #[error(
        "`{0}` is not an origin: write a scheme, a host and optionally a port, for example https://app.example.com:8443"
    )]
    Origin(String),
    /// The listener has no address.
    #[error("cannot listen")]
    CallContext(#[from] io::Error),
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections: 256,
            requests_per_second: 500,
            sessions: 256,
            session_idle: Duration::from_secs(2 * 60 * 60),
            head_bytes: 16 * 1024,
            head_fields: 64,
            body_bytes: 8 * 1024 * 1024,
            client_timeout: Duration::from_secs(30),
            drain: Duration::from_secs(1),
        }
    }
}

impl HttpConfig {
    /// Checks what is to be served at `address`, as [`serve()`](super::serve()) does, but before there is a listener.
    ///
    /// # Errors
    /// When the address needs a token and there is none, or an allowed host or origin is none.
    pub fn check(&self, address: SocketAddr) -> Result<(), HttpError> {
        if self.tokens.is_none() && !address.ip().is_loopback() {
            return Err(HttpError::Unprotected(address));
        }
        if let Some(host) = self.allowed_hosts.iter().find(|host| !is_authority(host)) {
            return Err(HttpError::Host(host.clone()));
        }
        match self.allowed_origins.iter().find(|text| origin(text).is_none()) {
            Some(text) => Err(HttpError::Origin(text.clone())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &str, config: HttpConfig, expected: &str) {
        let found = config.check(address.parse().unwrap());
        let found = found.map_or_else(|error| error.to_string(), |()| "served".to_owned());
        assert!(found.contains(expected), "{found}");
    }

    #[test]
    fn only_loopback_goes_without_a_token() {
        let tokens = || Some(Tokens::one("0123456789abcdef").unwrap());
        for address in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1"] {
            check(address, HttpConfig::default(), "served");
        }
        for address in ["0.0.0.0:1", "192.168.0.1:1", "[::]:1", "[fe80::1]:1"] {
            check(address, HttpConfig::default(), "set ORCH_MCP_TOKEN");
            check(address, HttpConfig { tokens: tokens(), ..HttpConfig::default() }, "served");
        }
    }

    #[test]
    fn what_can_match_nothing_is_refused() {
        let host =
            |host: &str| HttpConfig { allowed_hosts: vec![host.into()], ..HttpConfig::default() };
        let origin =
            |text: &str| HttpConfig { allowed_origins: vec![text.into()], ..HttpConfig::default() };
        for good in ["mcp.example.com", "mcp.example.com:8443", "[fe80::1]:80", "10.0.0.1"] {
            check("127.0.0.1:1", host(good), "served");
        }
        for bad in ["", "http://example.com", "a b", "user@example.com", "example.com/mcp", "*"] {
            check("127.0.0.1:1", host(bad), "is not a host");
        }
        for good in ["https://app.example.com", "http://localhost:6274", "http://[::1]:80"] {
            check("127.0.0.1:1", origin(good), "served");
        }
        for bad in [
            "",
            "app.example.com",
            "null",
            "*",
            "https://a/b",
            "https://u@a",
            "ftp://a",
            "https://a:*",
        ] {
            check("127.0.0.1:1", origin(bad), "is not an origin");
        }
    }
}
