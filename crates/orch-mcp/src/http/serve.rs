//! Accepts connections, as many as there may be, and serves each until it ends or the server stops.

use std::io;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rmcp::transport::streamable_http_server::StreamableHttpServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::config::{HttpConfig, HttpError, HttpLimits};
use super::reply::later;
use super::router::router;
use crate::Server;

/// The path at which the protocol is served.
pub const PATH: &str = "/mcp";

/// Connections that are told at the same time that there are too many; beyond these they are closed without a word.
const MAX_REFUSALS: usize = 64;
/// How long to wait when no connection can be accepted, for want of descriptors for example.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);
/// The smallest buffer that hyper takes.
const MIN_BUFFER_BYTES: usize = 8 * 1024;

/// Serves `server` at [`PATH`] of `listener`, until `shutdown` is ready. Requests that are being answered then get
/// [`HttpLimits::drain`] to end.
///
/// # Errors
/// When the address needs a token and there is none, or an allowed host or origin is none. Nothing has been accepted then.
pub async fn serve(
    server: Server,
    config: HttpConfig,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> Result<(), HttpError> {
    let address = listener.local_addr()?;
    config.check(address)?;
    let protocol = StreamableHttpServerConfig::default();
    let stop = protocol.cancellation_token.clone();
    let mut connections =
        Connections::new(&config.limits, router(server, &config, address.ip(), protocol));
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            accepted = listener.accept() => connections.take(accepted).await,
            () = &mut shutdown => break,
        }
    }
    drop(listener);
    let drain = config.limits.drain;
    let Connections { graceful, served, refused, .. } = connections;
    let drained = timeout(drain, graceful.shutdown()).await;
    // Streams that wait for events have no end of their own.
    stop.cancel();
    if drained.is_err() {
        let _ = timeout(drain, served.join_all()).await;
    }
    drop(refused);
    Ok(())
}

/// The connections, and what serves them.
struct Connections {
    http: http1::Builder,
    service: Router,
    busy: Router,
    max_connections: usize,
    client_timeout: Duration,
    graceful: GracefulShutdown,
    served: JoinSet<()>,
    refused: JoinSet<()>,
}

impl Connections {
    fn new(limits: &HttpLimits, service: Router) -> Self {
        let head = limits.head_bytes.max(MIN_BUFFER_BYTES);
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(limits.client_timeout)
            .max_headers(limits.head_fields)
            .max_header_size(head);
        Self {
            http,
            service,
            busy: Router::new().fallback(busy),
            max_connections: limits.connections,
            client_timeout: limits.client_timeout,
            graceful: GracefulShutdown::new(),
            served: JoinSet::new(),
            refused: JoinSet::new(),
        }
    }

    /// Serves a connection if there is room for it.
    async fn take(&mut self, accepted: io::Result<(TcpStream, std::net::SocketAddr)>) {
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                return sleep(ACCEPT_RETRY_DELAY).await;
            }
        };
        for over in [&mut self.served, &mut self.refused] {
            while over.try_join_next().is_some() {}
        }
        if self.served.len() < self.max_connections {
            let served = self.connection(stream, &self.service);
            self.served.spawn(served);
        } else if self.refused.len() < MAX_REFUSALS {
            let refused = self.connection(stream, &self.busy);
            self.refused.spawn(refused);
        }
    }

    /// Serves one connection. What goes wrong with it is its client's affair.
    fn connection(&self, stream: TcpStream, service: &Router) -> impl Future<Output = ()> + use<> {
        tune(&stream, self.client_timeout);
        let service = TowerToHyperService::new(service.clone());
        let connection = self.http.serve_connection(TokioIo::new(stream), service);
        let watched = self.graceful.watch(connection);
        async move {
            if let Err(error) = watched.await {
                tracing::debug!(%error, "a connection ended early");
            }
        }
    }
}

/// Sets what is only better to have: a connection serves without it, too.
fn tune(stream: &TcpStream, timeout: Duration) {
    // An answer is one small packet that nobody should wait for.
    let _ = stream.set_nodelay(true);
    // hyper waits for ever for a client that takes no answers; the kernel does not.
    #[cfg(target_os = "linux")]
    {
        let millis = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
        let _ = rustix::net::sockopt::set_tcp_user_timeout(stream, millis);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = timeout;
}

async fn busy() -> axum::response::Response {
    let sentence = "There are as many connections as there may be: try again later.";
    let mut response = later(StatusCode::SERVICE_UNAVAILABLE, 1, sentence);
    let close = axum::http::HeaderValue::from_static("close");
    response.headers_mut().insert(axum::http::header::CONNECTION, close);
    response
}
