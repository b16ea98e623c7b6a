//! How many requests may wait for their answers, and which.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::model::RequestId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most requests that are worked on at once.
pub(super) const MAX_REQUESTS: usize = 128;

/// One permit per request that is not answered yet.
pub(super) struct RequestPermits {
    free: Arc<Semaphore>,
    taken: Mutex<HashMap<RequestId, OwnedSemaphorePermit>>,
}

impl Default for RequestPermits {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(MAX_REQUESTS)), taken: Mutex::default() }
    }
}

impl RequestPermits {
    /// Takes a permit for a request, as soon as one is free; `false` when the id has one already.
    pub(super) async fn take(&self, id: &RequestId) -> bool {
        let free = Arc::clone(&self.free);
        let permit = free.acquire_owned().await.expect("the semaphore is never closed");
        match self.taken().entry(id.clone()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(entry) => {
                entry.insert(permit);
                true
            }
        }
    }

    /// Returns the permit of a request, which is free once this is dropped; `None` when the request has none.
    pub(super) fn release(&self, id: &RequestId) -> Option<OwnedSemaphorePermit> {
        self.taken().remove(id)
    }

    fn taken(&self) -> std::sync::MutexGuard<'_, HashMap<RequestId, OwnedSemaphorePermit>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
