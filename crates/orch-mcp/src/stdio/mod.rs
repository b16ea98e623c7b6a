//! MCP over a pair of byte streams, such as stdin and stdout: one JSON-RPC message a line, whatever the other side does.
//!
//! A task reads and parses; each handler writes its answer, under one lock. Two rules bound what a client can make the
//! server hold: a request takes one of a few permits until its answer is written, and nothing more is read while an answer waits
//! to be written. So a client that does not read its answers is not listened to, and loses nothing.
//!
//! ```text
//! reader -> line -> message -> [permit] -> rmcp -> handler -> send -> writer
//!    ^                 | what is no message                            |
//!    +-- waits for ----+-----------> error ----------------------------+
//! ```

mod line;
mod message;
mod request_permits;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rmcp::RoleServer;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ErrorCode, ErrorData, JsonRpcMessage, RequestId,
    ServerJsonRpcMessage, ServerResult,
};
use rmcp::transport::Transport;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::sync::{Mutex, Notify, mpsc, oneshot};

use line::{Line, LineReader};
use message::Parsed;
use request_permits::RequestPermits;

/// A transport for `rmcp`: JSON-RPC messages, one a line, at most 16 MiB each.
///
/// Other than `rmcp`'s own it answers what is no message with an error, refuses an id that is in use, is not ended by what a
/// client says before it says hello, and holds a bounded number of messages.
pub struct StdioTransport {
    messages: mpsc::Receiver<ClientJsonRpcMessage>,
    shared: Arc<Shared>,
    /// Gone when nothing is read any more. Nothing is ever sent.
    reading: Option<oneshot::Receiver<()>>,
}

/// What reading and writing share.
struct Shared {
    /// `None` once the session is over.
    writer: Mutex<Option<Box<dyn AsyncWrite + Send + Unpin>>>,
    /// Told when a write has failed: nobody listens any more.
    broken: Notify,
    permits: RequestPermits,
    /// Whether the client has said hello. Until then `rmcp` takes requests only, and anything else as the end.
    is_greeted: AtomicBool,
}

impl StdioTransport {
    /// Makes a transport of what is read and where to write. It ends when `reader` does, or when nothing can be written.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Self {
        let shared = Arc::new(Shared {
            writer: Mutex::new(Some(Box::new(writer))),
            broken: Notify::new(),
            permits: RequestPermits::default(),
            is_greeted: AtomicBool::new(false),
        });
        let (sender, messages) = mpsc::channel(1);
        let (alive, is_alive) = oneshot::channel();
        let reading = Arc::clone(&shared);
        tokio::spawn(async move {
            let _alive = alive;
            tokio::select! {
                // The session is over, whatever may still come.
                () = sender.closed() => {}
                () = reading.broken.notified() => {}
                ended = read(reader, &reading, &sender) => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "the connection broke");
                    }
                }
            }
        });
        Self { messages, shared, reading: Some(is_alive) }
    }

    /// Waits until the client has closed its end, or cannot be heard any more: before the calls that it has made are answered. At once
    /// when somebody else has asked for it.
    pub fn hung_up(&mut self) -> impl Future<Output = ()> + Send + 'static {
        let reading = self.reading.take();
        async move {
            if let Some(reading) = reading {
                // That nothing was sent is what is waited for.
                let _ = reading.await;
            }
        }
    }
}

impl Transport<RoleServer> for StdioTransport {
    type Error = io::Error;

    fn send(
        &mut self,
        item: ServerJsonRpcMessage,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let shared = Arc::clone(&self.shared);
        async move { shared.send(&item).await }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        self.messages.recv().await
    }

    async fn close(&mut self) -> io::Result<()> {
        self.messages.close();
        // What is being written to a client that does not read is given up.
        if let Ok(mut writer) = self.shared.writer.try_lock() {
            drop(writer.take());
        }
        Ok(())
    }
}

impl Shared {
    async fn send(&self, item: &ServerJsonRpcMessage) -> io::Result<()> {
        // Held until the answer is written.
        let _permit = answered(item).and_then(|id| self.permits.release(id));
        if is_welcome(item) {
            self.is_greeted.store(true, Ordering::Relaxed);
        }
        self.write(item).await
    }

    async fn refuse(&self, error: ErrorData, id: Option<RequestId>) -> io::Result<()> {
        self.write(&ServerJsonRpcMessage::error(error, id)).await
    }

    async fn write(&self, item: &ServerJsonRpcMessage) -> io::Result<()> {
        let mut line = serde_json::to_vec(item)?;
        line.push(b'\n');
        let mut slot = self.writer.lock().await;
        let writer = slot.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let written = async {
            writer.write_all(&line).await?;
            writer.flush().await
        };
        written.await.inspect_err(|_| {
            *slot = None;
            self.broken.notify_one();
        })
    }

    /// Waits until all that has been answered so far is written: the lock is given in the order of asking.
    async fn written(&self) {
        drop(self.writer.lock().await);
    }
}

/// Reads messages until there are no more.
async fn read(
    reader: impl AsyncRead + Unpin,
    shared: &Shared,
    messages: &mpsc::Sender<ClientJsonRpcMessage>,
) -> io::Result<()> {
    let mut lines = LineReader::new(BufReader::new(reader));
    loop {
        shared.written().await;
        let parsed = match lines.next().await? {
            Line::Whole(bytes) => message::parse(bytes),
            Line::TooLong => message::too_long(),
            Line::End => return Ok(()),
        };
        match parsed {
            Parsed::Message(message) => hand_over(*message, shared, messages).await?,
            Parsed::Refused(error, id) => shared.refuse(error, id).await?,
            Parsed::Ignored => {}
        }
    }
}

async fn hand_over(
    message: ClientJsonRpcMessage,
    shared: &Shared,
    messages: &mpsc::Sender<ClientJsonRpcMessage>,
) -> io::Result<()> {
    match &message {
        JsonRpcMessage::Request(request) => {
            if !shared.permits.take(&request.id).await {
                let text = "Invalid request: this id is in use by a request that is not answered yet; number requests.";
                let error = ErrorData::new(ErrorCode::INVALID_REQUEST, text, None);
                return shared.refuse(error, Some(request.id.clone())).await;
            }
        }
        JsonRpcMessage::Notification(_)
        | JsonRpcMessage::Response(_)
        | JsonRpcMessage::Error(_)
            if !shared.is_greeted.load(Ordering::Relaxed) =>
        {
            return Ok(());
        }
        JsonRpcMessage::Notification(notification) => {
            // `rmcp` drops the answer of a request that was cancelled.
            if let ClientNotification::CancelledNotification(cancelled) = &notification.notification
            {
                drop(
                    cancelled.params.request_id.as_ref().and_then(|id| shared.permits.release(id)),
                );
            }
        }
        JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => {}
    }
    messages.send(message).await.map_err(|_| io::ErrorKind::NotConnected.into())
}

/// Returns the id of the request that a message answers.
fn answered(item: &ServerJsonRpcMessage) -> Option<&RequestId> {
    match item {
        JsonRpcMessage::Response(response) => Some(&response.id),
        JsonRpcMessage::Error(error) => error.id.as_ref(),
        JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => None,
    }
}

/// Whether a message is the first answer of a session that has begun: one to anything but a ping or a probe for versions.
fn is_welcome(item: &ServerJsonRpcMessage) -> bool {
    let JsonRpcMessage::Response(response) = item else { return false };
    !matches!(response.result, ServerResult::EmptyResult(_) | ServerResult::DiscoverResult(_))
}

#[cfg(test)]
mod tests;
