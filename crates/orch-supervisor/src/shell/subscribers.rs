//! Who is told what happens.

use std::sync::{Arc, Mutex, PoisonError};

use orch_core::journal::{Recorded, RunHead};
use tokio::sync::{broadcast, mpsc};

use super::Lifecycle;

/// Events that a subscriber may lag behind before it loses some, and is told so.
const LAG: usize = 1_024;

/// Everybody who is told what happens. Clones share them; telling waits for nobody.
#[derive(Clone)]
pub(crate) struct Subscribers {
    /// Those who lose what they are too slow for.
    lossy: broadcast::Sender<Lifecycle>,
    /// Those who lose nothing.
    followers: Arc<Mutex<Vec<mpsc::UnboundedSender<Lifecycle>>>>,
}

impl Subscribers {
    pub(crate) fn new() -> Self {
        Self { lossy: broadcast::channel(LAG).0, followers: Arc::default() }
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Lifecycle> {
        self.lossy.subscribe()
    }

    pub(crate) fn follow(&self) -> mpsc::UnboundedReceiver<Lifecycle> {
        let (send, receive) = mpsc::unbounded_channel();
        self.followers.lock().unwrap_or_else(PoisonError::into_inner).push(send);
        receive
    }

    pub(super) fn publish(&self, head: Arc<RunHead>, events: Arc<[Recorded]>) {
        let lifecycle = Lifecycle::new(head, events);
        // Nothing in here can panic half way, so a poisoned lock hides nothing.
        let mut followers = self.followers.lock().unwrap_or_else(PoisonError::into_inner);
        followers.retain(|follower| follower.send(lifecycle.clone()).is_ok());
        drop(followers);
        if self.lossy.receiver_count() > 0 {
            // A subscriber that has gone meanwhile misses nothing.
            let _ = self.lossy.send(lifecycle);
        }
    }
}
