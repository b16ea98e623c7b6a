//! How many requests may wait for their answers, and which.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::model::RequestId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most requests that are worked on at once.
pub(super) const SEATS: usize = 128;

/// One seat per request that is not answered yet.
pub(super) struct Seats {
    free: Arc<Semaphore>,
    taken: Mutex<HashMap<RequestId, OwnedSemaphorePermit>>,
}

impl Default for Seats {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(SEATS)), taken: Mutex::default() }
    }
}

impl Seats {
    /// Takes a seat for a request, as soon as one is free; `false` when the id has one already.
    pub(super) async fn take(&self, id: &RequestId) -> bool {
        let free = Arc::clone(&self.free);
        let seat = free.acquire_owned().await.expect("the semaphore is never closed");
        match self.taken().entry(id.clone()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(entry) => {
                entry.insert(seat);
                true
            }
        }
    }

    /// Returns the seat of a request, which is free once this is dropped; `None` when the request has none.
    pub(super) fn leave(&self, id: &RequestId) -> Option<OwnedSemaphorePermit> {
        self.taken().remove(id)
    }

    fn taken(&self) -> std::sync::MutexGuard<'_, HashMap<RequestId, OwnedSemaphorePermit>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
