//! Ctrl-C, SIGTERM, and the end of the terminal: what they ask a process for, and how long it may take.

use std::io;
use std::time::Duration;

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use crate::end_deadline::{EndDeadline, now};

/// Two signals that come closer together than this are one request: a shell and a terminal both hand on what ends them.
const ONE_REQUEST: Duration = Duration::from_millis(300);
/// What is kept of the time for the end of a process, to close its stores and its runtime when suspending has taken too long.
const RESERVE: Duration = Duration::from_millis(300);

/// What a signal asks for, or time that has run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urge {
    /// Suspend what runs; it was asked for already when it comes again.
    Suspend,
    /// End at once: SIGINT or SIGTERM came again.
    Kill,
    /// End at once: the time for suspending is over.
    OutOfTime,
}

/// Listens to SIGINT, SIGTERM and SIGHUP.
///
/// The first one suspends. Any number of SIGHUP does nothing more; a further SIGINT or SIGTERM, at least 300 ms after the
/// first of them, kills.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    grace: Duration,
    end: EndDeadline,
    asked: Asked,
}

/// What was asked for so far.
#[derive(Debug, Default)]
struct Asked {
    /// When anything first asked to suspend.
    to_suspend: Option<Instant>,
    /// When SIGINT or SIGTERM first came.
    to_end: Option<Instant>,
}

impl Asked {
    fn hangup(&mut self, now: Instant) -> Urge {
        self.to_suspend.get_or_insert(now);
        Urge::Suspend
    }

    /// Returns what SIGINT or SIGTERM asks for; `None` when it is the same request once more.
    fn end(&mut self, now: Instant) -> Option<Urge> {
        self.to_suspend.get_or_insert(now);
        match self.to_end {
            None => {
                self.to_end = Some(now);
                Some(Urge::Suspend)
            }
            Some(first) => (now.duration_since(first) >= ONE_REQUEST).then_some(Urge::Kill),
        }
    }
}

impl Signals {
    /// Begins to listen; from now on none of the signals ends the process by itself. `grace` is how long attempts get to end
    /// once they are told to; the first signal begins `end` with it. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the system does not let the process listen.
    pub fn listen(grace: Duration, end: EndDeadline) -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            grace,
            end,
            asked: Asked::default(),
        })
    }

    /// Waits for the next request, or until a suspension that was asked for has taken too long. Dropping it loses nothing.
    pub async fn next(&mut self) -> Urge {
        loop {
            let until = self.end.before(RESERVE);
            let urge = tokio::select! {
                biased;
                _ = self.hangup.recv() => Some(self.asked.hangup(now())),
                _ = self.interrupt.recv() => self.asked.end(now()),
                _ = self.terminate.recv() => self.asked.end(now()),
                () = reached(until) => return Urge::OutOfTime,
            };
            self.end.begin(self.grace);
            if let Some(urge) = urge {
                return urge;
            }
        }
    }

    /// Tells whether somebody has asked to suspend.
    pub fn is_stopping(&self) -> bool {
        self.asked.to_suspend.is_some()
    }

    /// Begins the time for suspending without a signal, unless it has begun.
    pub fn stop(&mut self) {
        self.asked.to_suspend.get_or_insert(now());
        self.end.begin(self.grace);
    }

    /// Does `work` until it is done, or until there is no time for it: `None`. A signal ends it at once when nobody had asked
    /// to suspend before.
    pub async fn within_time<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(work);
        loop {
            let was_stopping = self.is_stopping();
            tokio::select! {
                done = &mut work => return Some(done),
                urge = self.next() => {
                    if urge != Urge::Suspend || !was_stopping {
                        return None;
                    }
                }
            }
        }
    }
}

/// Makes a write beyond the limit on the size of files (`ulimit -f`) fail, as one on a full disk does; else the system kills
/// the process. Programs that the process starts are not affected. Must be called within a tokio runtime.
///
/// # Errors
/// When the system does not let the process handle the signal.
pub fn survive_file_limits() -> io::Result<()> {
    // The handler stays when the listener is dropped.
    signal(SignalKind::from_raw(Number::XFSZ.as_raw())).map(drop)
}

async fn reached(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_later_interrupt_kills() {
        let suspend = Some(Urge::Suspend);
        let start = now();
        for (signals, case) in [
            (vec![("HUP", 0, suspend), ("HUP", 1, suspend), ("HUP", 900, suspend)], "hangups"),
            (vec![("INT", 0, suspend), ("INT", 299, None), ("INT", 300, Some(Urge::Kill))], "ends"),
            (vec![("HUP", 0, suspend), ("INT", 900, suspend), ("HUP", 2_000, suspend)], "mixed"),
            (
                vec![("INT", 0, suspend), ("HUP", 900, suspend), ("INT", 901, Some(Urge::Kill))],
                "and",
            ),
        ] {
            let mut asked = Asked::default();
            for (name, millis, urge) in signals {
                let at = start + Duration::from_millis(millis);
                let seen = if name == "HUP" { Some(asked.hangup(at)) } else { asked.end(at) };
                assert_eq!(seen, urge, "{case}: {name} after {millis} ms");
            }
            assert_eq!(asked.to_suspend, Some(start), "{case}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_asked_to_stop_has_its_grace_time_and_no_more() {
        let mut signals = Signals::listen(Duration::from_secs(5), EndDeadline::new()).unwrap();
        assert_eq!(signals.within_time(async { 7 }).await, Some(7));
        let start = now();
        signals.stop();
        let slow = tokio::time::sleep(Duration::from_secs(100));
        assert_eq!(signals.within_time(slow).await, None);
        assert_eq!(now().duration_since(start), Duration::from_millis(6_600));
        assert_eq!(signals.next().await, Urge::OutOfTime);
    }
}
