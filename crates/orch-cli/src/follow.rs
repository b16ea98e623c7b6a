//! Following a run to its end, with one eye on signals.

use std::time::Duration;

use orch_app::{Signals, Urge};
use orch_core::journal::Journal;
use orch_core::{OrchestrationResult, RunId};
use orch_supervisor::{Lifecycle, Supervisor, SupervisorError};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::oneshot;

use crate::error::CliError;
use crate::events::EventFeeds;
use crate::lock_waits::LockWaits;
use crate::progress::View;

/// How long attempts get to end after the first Ctrl-C.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// How following a run ended.
pub(crate) enum End {
    /// The run is over.
    Ended(Box<OrchestrationResult>),
    /// The run is over, but events that `--events` asked for are missing.
    Untold(Box<OrchestrationResult>),
    /// The run was suspended: nothing of it goes on.
    Suspended,
    /// There was no patience to wait for that.
    Killed,
    /// What ran has ended, but the store did not take it in time.
    NotWritten,
}

/// A run that this process owns.
pub(crate) struct Following<'a> {
    pub(crate) supervisor: &'a Supervisor,
    pub(crate) journal: &'a dyn Journal,
    pub(crate) run: RunId,
    pub(crate) view: View,
    pub(crate) feeds: EventFeeds,
}

impl Following<'_> {
    /// Shows what happens until the run has ended, or until somebody wants to stop. Ends in time, whatever the store does.
    pub(crate) async fn until_the_end(
        self,
        events: Receiver<Lifecycle>,
        signals: &mut Signals,
    ) -> Result<End, CliError> {
        let supervisor = self.supervisor.clone();
        let (stop, stopping) = oneshot::channel();
        let mut stop = Some(stop);
        let following = self.follow(events, stopping);
        tokio::pin!(following);
        loop {
            tokio::select! {
                ended = &mut following => return match ended {
                    Err(_) if signals.is_stopping() => Ok(End::NotWritten),
                    ended => ended,
                },
                urge = signals.next() => match urge {
                    Urge::Suspend => {
                        // The first one only.
                        if let Some(stop) = stop.take() {
                            // Who follows says so, unless it has just ended.
                            let _ = stop.send(());
                            let supervisor = supervisor.clone();
                            tokio::spawn(async move { supervisor.shutdown(GRACE).await });
                        }
                    }
                    Urge::Kill => return Ok(End::Killed),
                    Urge::OutOfTime => return Ok(End::NotWritten),
                }
            }
        }
    }

    async fn follow(
        mut self,
        mut events: Receiver<Lifecycle>,
        stopping: oneshot::Receiver<()>,
    ) -> Result<End, CliError> {
        self.catch_up().await?;
        let (supervisor, run) = (self.supervisor, self.run);
        let waiting = supervisor.wait(run);
        tokio::pin!(waiting, stopping);
        let mut is_stopping = false;
        let mut waits = LockWaits::new();
        loop {
            tokio::select! {
                ended = &mut waiting => {
                    self.drain(&mut events).await?;
                    let is_told = self.feeds.finish(&self.view).await;
                    return match ended {
                        Ok(result) if is_told => Ok(End::Ended(Box::new(result))),
                        Ok(result) => Ok(End::Untold(Box::new(result))),
                        Err(SupervisorError::Suspended(_)) => Ok(End::Suspended),
                        Err(error) => Err(error.into()),
                    };
                }
                event = events.recv() => self.on_event(event).await?,
                news = waits.news(supervisor, run) => {
                    for wait in news {
                        self.view.say(&wait);
                    }
                }
                _ = &mut stopping, if !is_stopping => {
                    is_stopping = true;
                    self.view.say("suspending; Ctrl-C once more to kill what runs");
                }
            }
        }
    }

    async fn on_event(&mut self, event: Result<Lifecycle, RecvError>) -> Result<(), CliError> {
        match event {
            Ok(lifecycle) => self.show(&lifecycle),
            Err(RecvError::Lagged(_)) => self.catch_up().await?,
            // The engine has ended; the wait says how.
            Err(RecvError::Closed) => std::future::pending().await,
        }
        Ok(())
    }

    fn show(&mut self, lifecycle: &Lifecycle) {
        if lifecycle.head.run == self.run {
            self.view.apply(&lifecycle.events);
        }
    }

    /// Shows what has been missed.
    async fn catch_up(&mut self) -> Result<(), CliError> {
        let events = self.journal.load(self.run, self.view.seq()).await?;
        self.view.apply(&events);
        Ok(())
    }

    async fn drain(&mut self, events: &mut Receiver<Lifecycle>) -> Result<(), CliError> {
        loop {
            match events.try_recv() {
                Ok(lifecycle) => self.show(&lifecycle),
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => return self.catch_up().await,
            }
        }
    }
}
