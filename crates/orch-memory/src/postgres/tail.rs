//! Hearing of what other processes append.
//!
//! Every append is followed by a notification with its writer's name, in its own transaction. One task listens, on a
//! connection of its own, and counts: notifications of others, every (re)connection, since some may have been missed before
//! it, and a slow beat, should a notification ever be lost without a trace.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::store::Store;
use crate::error::Closed;

/// The channel of notifications.
pub(super) const CHANNEL: &str = "orch_journal";

/// How long to wait for a notification before a change is assumed.
const BEAT: Duration = Duration::from_secs(10);

/// How long to wait before the next try to connect.
const PAUSE: Duration = Duration::from_secs(1);

/// The count of changes, and the task that counts.
pub(super) struct Tail {
    changes: watch::Receiver<u64>,
    /// The changes of which somebody has been told.
    seen: AtomicU64,
    task: AbortHandle,
}

impl Tail {
    /// Starts the task on the current tokio runtime.
    pub(super) fn start(store: &Store, own: String) -> Self {
        let (count, changes) = watch::channel(0);
        let task = tokio::spawn(listen(store.pool(1), own, count)).abort_handle();
        Self { changes, seen: AtomicU64::new(0), task }
    }

    /// Waits for a change of which nobody has been told.
    pub(super) async fn changed(&self) -> Result<(), Closed> {
        let mut changes = self.changes.clone();
        loop {
            let count = *changes.borrow_and_update();
            if self.seen.swap(count, Ordering::SeqCst) != count {
                return Ok(());
            }
            changes.changed().await.map_err(|_| Closed)?;
        }
    }

    /// Ends the task; who waits is told.
    pub(super) fn stop(&self) {
        self.task.abort();
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn listen(pool: PgPool, own: String, count: watch::Sender<u64>) {
    loop {
        if let Err(error) = listen_once(&pool, &own, &count).await {
            // A call that needs the database fails, and says so once.
            tracing::debug!(%error, "changes of other processes cannot be heard; trying again");
        }
        // Who cannot listen has to look.
        tokio::time::sleep(PAUSE).await;
        count.send_modify(|count| *count += 1);
    }
}

/// Listens until the connection fails in a way that the listener does not repair by itself.
async fn listen_once(pool: &PgPool, own: &str, count: &watch::Sender<u64>) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        count.send_modify(|count| *count += 1);
        if let Ok(failed) = tokio::time::timeout(BEAT, foreign(&mut listener, own)).await {
            failed?;
        }
    }
}

/// Waits for a notification of another writer, or until the connection was lost and is there again.
async fn foreign(listener: &mut PgListener, own: &str) -> sqlx::Result<()> {
    while let Some(notification) = listener.try_recv().await? {
        if notification.payload() != own {
            break;
        }
    }
    Ok(())
}
