//! How the engine asks a running attempt to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use event_listener::Event;

/// A one-way signal: once given it stays. Clones share it.
///
/// An attempt that sees it should end soon and may still return a result; when the grace time is over its future is
/// dropped.
///
/// ```
/// let signal = orch_core::StopSignal::new();
/// let worker = signal.clone();
/// signal.stop();
/// assert!(worker.is_stopped());
/// ```
#[derive(Clone, Default)]
pub struct StopSignal(Arc<Inner>);

#[derive(Default)]
struct Inner {
    given: AtomicBool,
    event: Event,
}

impl StopSignal {
    /// Makes a signal that has not been given.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the signal.
    pub fn stop(&self) {
        self.0.given.store(true, Ordering::SeqCst);
        self.0.event.notify(usize::MAX);
    }

    /// Tells whether the signal was given.
    pub fn is_stopped(&self) -> bool {
        self.0.given.load(Ordering::SeqCst)
    }

    /// Waits until the signal is given.
    pub async fn stopped(&self) {
        loop {
            // Listening begins before the look, so that a signal in between is not missed.
            let listener = self.0.event.listen();
            if self.is_stopped() {
                return;
            }
            listener.await;
        }
    }
}

impl std::fmt::Debug for StopSignal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StopSignal({})", self.is_stopped())
    }
}
