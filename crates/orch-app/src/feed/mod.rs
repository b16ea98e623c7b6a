//! Lifecycle events out of the process: to a file, to webhooks.
//!
//! The journal is the queue: a sink that is slow, or away for a while, falls behind and catches up from there. Meanwhile a
//! few numbers are kept of each run that waits, no events, and the engine never waits. Each sink gets the events of a run in
//! order, without gaps.
//!
//! ```text
//! supervisor --Lifecycle--> feed --notes--> Waiting --Due--> Teller --loads--> journal
//!                                                              +--LifecycleEvent--> Sink
//! ```

mod envelope;
mod file;
mod task;
mod teller;
mod waiting;
#[cfg(feature = "webhooks")]
mod webhook;

use std::time::Duration;

use async_trait::async_trait;
use orch_supervisor::Supervisor;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use envelope::LifecycleEvent;
pub use file::FileSink;
use teller::Teller;
#[cfg(feature = "webhooks")]
pub use webhook::WebhookSink;

/// Where lifecycle events go.
#[async_trait]
pub trait Sink: Send + 'static {
    /// Delivers events of one run, in order. Whatever goes wrong is the sink's to retry, to log and to give up; returns how
    /// many were not delivered.
    async fn deliver(&mut self, events: Vec<LifecycleEvent>) -> usize;
}

/// The tasks that bring events to their sinks.
#[must_use = "events that are not awaited at the end may be lost"]
pub struct Feeds {
    feeds: Vec<(oneshot::Sender<()>, JoinHandle<usize>)>,
}

impl Feeds {
    /// Starts to bring the events of `supervisor` to each of `sinks`: of a run that begins after this all, of any other
    /// those that this supervisor hears of.
    pub fn start(supervisor: &Supervisor, sinks: Vec<Box<dyn Sink>>) -> Self {
        let feeds = sinks.into_iter().map(|sink| {
            let (finish, finished) = oneshot::channel();
            let teller = Teller::new(supervisor.journal().clone(), sink);
            (finish, tokio::spawn(task::feed(supervisor.follow(), teller, finished)))
        });
        Self { feeds: feeds.collect() }
    }

    /// Waits until all that has happened is delivered, at most `patience`. Returns how many events are known to be
    /// undelivered, and whether there may be more as time was up.
    pub async fn finish(self, patience: Duration) -> (usize, bool) {
        let (finish, tasks): (Vec<_>, Vec<_>) = self.feeds.into_iter().unzip();
        for finish in finish {
            // A feed that is gone has said all that it could.
            let _ = finish.send(());
        }
        let (mut lost, mut is_cut) = (0, false);
        let aborts: Vec<_> = tasks.iter().map(JoinHandle::abort_handle).collect();
        let all = async {
            for task in tasks {
                lost += task.await.unwrap_or(0);
            }
        };
        if tokio::time::timeout(patience, all).await.is_err() {
            is_cut = true;
            aborts.iter().for_each(tokio::task::AbortHandle::abort);
        }
        (lost, is_cut)
    }
}
