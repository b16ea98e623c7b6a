//! The streamable HTTP transport: [`serve()`] puts a [`Server`](crate::Server) at the path `/mcp` of a listener, in both eras of
//! the protocol: sessions by the `initialize` handshake, and stateless requests (2026-07-28).
//!
//! A request passes, in this order, and each stop answers for itself:
//!
//! ```text
//! connection (503)  head (408, 431)  token (401, 403)  rate (429)  body (408, 413)  message (400)  Host, Origin (403)  rmcp
//!   serve.rs          hyper            auth.rs           rate.rs     body.rs          message.rs     rmcp
//! ```
//!
//! **Invariants:** what a client can make the server hold is bounded: connections, sessions, heads and bodies. Tokens are kept
//! as hashes only, and a request loses its `Authorization` before anything could log it.

mod auth;
mod body;
mod config;
mod message;
mod origin;
mod rate;
mod reply;
mod router;
mod serve;
mod sessions;
mod tokens;

pub use config::{HttpConfig, HttpError, HttpLimits};
pub use serve::{PATH, serve};
pub use tokens::{TokenError, Tokens};
