//! Events as JSON lines in a file, or on stdout.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use async_trait::async_trait;

use super::{LifecycleEvent, Sink};

/// Writes one JSON object a line.
pub struct FileSink {
    /// `None` once it has failed: whoever reads must not get events with a gap.
    out: Option<Box<dyn Write + Send>>,
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
        Self { out: Some(Box::new(out)) }
    }
}

#[async_trait]
impl Sink for FileSink {
    async fn deliver(&mut self, events: Vec<LifecycleEvent>) -> usize {
        let count = events.len();
        let Some(mut out) = self.out.take() else { return count };
        // A pipe that nobody reads must not hold a thread of the runtime.
        let written = tokio::task::spawn_blocking(move || {
            let mut lines = Vec::new();
            for event in &events {
                serde_json::to_writer(&mut lines, event)?;
                lines.push(b'\n');
            }
            out.write_all(&lines)?;
            out.flush()?;
            Ok::<_, io::Error>(out)
        });
        match written.await {
            Ok(Ok(out)) => {
                self.out = Some(out);
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
