//! Lifecycle events out of the process: to a file, to webhooks.
//!
//! The journal is the queue: a sink that is slow, or away for a while, falls behind and catches up from there, so nothing is
//! buffered without bound and the engine never waits. Each sink gets the events of a run in order, without gaps.

mod envelope;
mod file;
#[cfg(feature = "webhooks")]
mod webhook;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orch_core::journal::{Journal, JournalError, Recorded, RunHead};
use orch_core::{Event, RunId, Seq};
use orch_supervisor::{Lifecycle, Supervisor};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use envelope::LifecycleEvent;
use envelope::Narrator;
pub use file::FileSink;
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
            let feed = Feed {
                journal: supervisor.journal().clone(),
                sink,
                runs: BTreeMap::new(),
                lost: 0,
            };
            (finish, tokio::spawn(feed.run(supervisor.subscribe(), finished)))
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

/// Brings events to one sink.
struct Feed {
    journal: Arc<dyn Journal>,
    sink: Box<dyn Sink>,
    runs: BTreeMap<RunId, Narrator>,
    lost: usize,
}

impl Feed {
    async fn run(
        mut self,
        mut events: Receiver<Lifecycle>,
        mut finish: oneshot::Receiver<()>,
    ) -> usize {
        loop {
            let event = tokio::select! {
                event = events.recv() => event,
                _ = &mut finish => break,
            };
            match event {
                Ok(lifecycle) => self.news(&lifecycle).await,
                Err(RecvError::Lagged(_)) => self.catch_up().await,
                Err(RecvError::Closed) => break,
            }
        }
        loop {
            match events.try_recv() {
                Ok(lifecycle) => self.news(&lifecycle).await,
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        self.catch_up().await;
        self.lost
    }

    /// Something happened in a run.
    async fn news(&mut self, lifecycle: &Lifecycle) {
        let Some(first) = lifecycle.events.first() else { return };
        let run = lifecycle.head.run;
        if !self.runs.contains_key(&run)
            && let Err(error) = self.meet(&lifecycle.head, first.seq).await
        {
            tracing::warn!(%run, %error, "the events of a run cannot be read; they are told later");
            return;
        }
        let Some(narrator) = self.runs.get(&run) else { return };
        if first.seq == narrator.seq.next() {
            self.tell(run, &lifecycle.events).await;
        } else {
            self.catch_up_with(run).await;
        }
        let is_over = |recorded: &Recorded| matches!(recorded.event, Event::RunEnded { .. });
        if lifecycle.events.last().is_some_and(is_over) {
            self.runs.remove(&run);
        }
    }

    /// Comes to a run. What happened before it was met is not told, but says who is who.
    async fn meet(&mut self, head: &RunHead, next: Seq) -> Result<(), JournalError> {
        let mut narrator = Narrator::new(head);
        if next > Seq(0).next() {
            for recorded in self.journal.load(head.run, Seq(0)).await? {
                if recorded.seq < next {
                    narrator.tell(&recorded);
                }
            }
        }
        self.runs.insert(head.run, narrator);
        Ok(())
    }

    async fn catch_up(&mut self) {
        let runs: Vec<RunId> = self.runs.keys().copied().collect();
        for run in runs {
            self.catch_up_with(run).await;
        }
    }

    /// Tells what was missed of a run.
    async fn catch_up_with(&mut self, run: RunId) {
        let Some(narrator) = self.runs.get(&run) else { return };
        match self.journal.load(run, narrator.seq).await {
            Ok(events) => self.tell(run, &events).await,
            Err(error) => {
                tracing::warn!(%run, %error, "the events of a run cannot be read; they are told later")
            }
        }
    }

    async fn tell(&mut self, run: RunId, events: &[Recorded]) {
        let Some(narrator) = self.runs.get_mut(&run) else { return };
        let told: Vec<LifecycleEvent> =
            events.iter().map(|recorded| narrator.tell(recorded)).collect();
        if !told.is_empty() {
            self.lost += self.sink.deliver(told).await;
        }
    }
}
