//! Reading from a store that refuses: what it cannot do now it may do later.

use std::future::Future;

use orch_core::journal::JournalError;

use super::store_health::{Access, StoreHealth, failure};
use crate::pauses::Pauses;

/// Asks until the store answers; the caller ends the wait by dropping it.
pub(super) async fn patiently<T, F: Future<Output = Result<T, JournalError>>>(
    health: &StoreHealth,
    mut ask: impl FnMut() -> F,
) -> Result<T, JournalError> {
    let mut pauses = Pauses::default();
    loop {
        let answer = ask().await;
        health.note(Access::Read, failure(&answer));
        if failure(&answer).is_none() {
            return answer;
        }
        tokio::time::sleep(pauses.next()).await;
    }
}
