//! Following a run to its end, with one eye on signals.

use std::time::Duration;

use orch_core::journal::Journal;
use orch_core::{OrchestrationResult, RunId};
use orch_supervisor::{Lifecycle, Supervisor, SupervisorError};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::error::CliError;
use crate::events::EventFeeds;
use crate::lock_waits::LockWaits;
use crate::progress::View;
use crate::signals::Signals;

/// How long attempts get to end after the first Ctrl-C.
const GRACE: Duration = Duration::from_secs(5);

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
    /// Shows what happens until the run has ended, or until somebody wants to stop.
    pub(crate) async fn until_the_end(
        mut self,
        mut events: Receiver<Lifecycle>,
        signals: &mut Signals,
    ) -> Result<End, CliError> {
        self.catch_up().await?;
        let (supervisor, run) = (self.supervisor, self.run);
        let waiting = supervisor.wait(run);
        tokio::pin!(waiting);
        let mut stopping = false;
        let mut waits = LockWaits::new();
        loop {
            tokio::select! {
                ended = &mut waiting => {
                    self.drain(&mut events).await?;
                    let is_told = self.feeds.finish(&self.view).await;
                    self.view.close();
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
                () = signals.next() => {
                    if stopping {
                        self.view.close();
                        return Ok(End::Killed);
                    }
                    stopping = true;
                    self.view.say("suspending; once more to kill what runs");
                    let supervisor = supervisor.clone();
                    tokio::spawn(async move { supervisor.shutdown(GRACE).await });
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
