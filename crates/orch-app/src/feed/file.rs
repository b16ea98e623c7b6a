//! Events as JSON lines in a file, or on stdout.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use async_trait::async_trait;
use orch_core::printable_json;

use super::{LifecycleEvent, Sink};

/// Writes one JSON object a line.
pub struct FileSink {
    out: Out,
}

/// Where the lines go. Readers must not get events with a gap: after a failure nothing more is written.
enum Out {
    Open(Box<dyn Write + Send>),
    /// The reader has closed its end: what it does not get is not missing.
    Unread,
    Failed,
}

impl FileSink {
    /// Appends to the file at `path`, which is made when it is not there (0600). Somebody has named it: links are followed, and a
    /// pipe or a device is written to.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn append(path: &Path) -> io::Result<Self> {
        let file: File = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        Ok(Self::new(file))
    }

    /// Writes to `out`.
    pub fn new(out: impl Write + Send + 'static) -> Self {
        Self { out: Out::Open(Box::new(out)) }
    }
}

#[async_trait]
impl Sink for FileSink {
    async fn deliver(&mut self, events: Vec<LifecycleEvent>) -> usize {
        let count = events.len();
        let mut out = match std::mem::replace(&mut self.out, Out::Failed) {
            Out::Open(out) => out,
            Out::Unread => {
                self.out = Out::Unread;
                return 0;
            }
            Out::Failed => return count,
        };
        // A pipe that nobody reads must not hold a thread of the runtime.
        let written = tokio::task::spawn_blocking(move || {
            let mut lines = String::new();
            for event in &events {
                lines.push_str(&serde_json::to_string(event)?);
                lines.push('\n');
            }
            // JSON all the same, and a terminal that shows it only shows it.
            out.write_all(printable_json(&lines).as_bytes())?;
            out.flush()?;
            Ok::<_, io::Error>(out)
        });
        match written.await {
            Ok(Ok(out)) => {
                self.out = Out::Open(out);
                0
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.out = Out::Unread;
                0
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "events cannot be written; no more are");
                count
            }
            Err(_) => count,
        }
    }
}
