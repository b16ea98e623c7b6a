//! `orch-mcp --http`: the server over streamable HTTP.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use orch_mcp::http::{HttpConfig, HttpLimits, PATH, Tokens, serve};
use orch_mcp::standalone::Standalone;
use tokio::net::TcpListener;

/// The variable that holds the token of the project.
const TOKEN: &str = "ORCH_MCP_TOKEN";

/// What to serve over HTTP, and to whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "HTTP")]
pub(crate) struct HttpArgs {
    /// Serve streamable HTTP at http://ADDRESS/mcp instead of stdin and stdout. Port 0 picks a free port and names it on stderr.
    /// Addresses other than loopback need a token: ORCH_MCP_TOKEN or --token-file.
    #[arg(long = "http", value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "127.0.0.1:8377")]
    pub(crate) address: Option<SocketAddr>,
    #[command(flatten)]
    options: HttpOptions,
}

/// Means nothing without `--http`.
#[derive(Debug, Args)]
struct HttpOptions {
    /// File of bearer tokens, a line `PROJECT TOKEN` each; tokens of other projects are refused. Only you may read the file.
    #[arg(long, value_name = "FILE", requires = "address")]
    token_file: Option<PathBuf>,
    /// Host name, optionally with port, by which clients reach the server, besides localhost and its address.
    #[arg(long, value_name = "HOST", requires = "address")]
    allow_host: Vec<String>,
    /// Origin whose web pages may call, besides loopback origins.
    #[arg(long, value_name = "ORIGIN", requires = "address")]
    allow_origin: Vec<String>,
    /// Maximum number of open connections [default: 256].
    #[arg(long, value_name = "N", requires = "address")]
    max_connections: Option<usize>,
    /// Maximum number of sessions [default: 256].
    #[arg(long, value_name = "N", requires = "address")]
    max_sessions: Option<usize>,
    /// Maximum number of requests per second [default: 500].
    #[arg(long, value_name = "N", requires = "address")]
    max_requests: Option<u32>,
    /// How long a client may take to send a request's head or body, or to take an answer [default: 30s].
    #[arg(long, value_name = "SPAN", value_parser = span, requires = "address")]
    client_timeout: Option<Duration>,
}

impl HttpArgs {
    /// Serves at `address` until `shutdown` is ready.
    pub(crate) async fn serve(
        self,
        address: SocketAddr,
        standalone: &Standalone,
        shutdown: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        let mut config = HttpConfig::default();
        config.tokens = self.options.tokens(standalone.project.as_str())?;
        config.limits = self.options.limits();
        config.allowed_hosts = self.options.allow_host;
        config.allowed_origins = self.options.allow_origin;
        config.check(address)?;
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("cannot listen at {address}; `--http ADDRESS` takes another address")
        })?;
        let bound = listener.local_addr()?;
        // The program that started the server may read this line; a failed write is no reason to stop.
        let _ = writeln!(std::io::stderr(), "orch-mcp listens at http://{bound}{PATH}");
        Ok(serve(standalone.server.clone(), config, listener, shutdown).await?)
    }
}

impl HttpOptions {
    fn tokens(&self, project: &str) -> anyhow::Result<Option<Tokens>> {
        match (&self.token_file, std::env::var_os(TOKEN)) {
            (Some(_), Some(_)) => {
                bail!("both {TOKEN} and --token-file are given: keep one of them")
            }
            (Some(path), None) => Ok(Some(Tokens::read(path, project)?)),
            (None, Some(token)) => Tokens::one(&token.to_string_lossy()).map(Some).context(TOKEN),
            (None, None) => Ok(None),
        }
    }

    fn limits(&self) -> HttpLimits {
        let mut limits = HttpLimits::default();
        limits.connections = self.max_connections.unwrap_or(limits.connections);
        limits.sessions = self.max_sessions.unwrap_or(limits.sessions);
        limits.requests_per_second = self.max_requests.unwrap_or(limits.requests_per_second);
        limits.client_timeout = self.client_timeout.unwrap_or(limits.client_timeout);
        limits
    }
}

/// Reads a span in which a client can do something.
fn span(text: &str) -> Result<Duration, String> {
    let span = crate::span(text).map_err(|error| error.to_string())?;
    if span.is_zero() { Err("it must be longer than nothing".to_owned()) } else { Ok(span) }
}
