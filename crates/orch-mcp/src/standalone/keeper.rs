//! Watches the store of a server, and opens another one when it is lost.
//!
//! ```text
//! served --- the store is lost: say so, leave it ---> nothing served --- a call wants a store ---> served
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use orch_app::EndDeadline;
use orch_core::RunId;
use orch_core::journal::RunRow;
use orch_memory::{OpenError, SqliteJournal, StoreLost};
use tokio::sync::{Notify, oneshot, watch};

use super::opened::Opened;
use super::{Options, StandaloneError};
use crate::Server;
use crate::answer::short;
use crate::desks::{Desks, Served};

/// How long to wait before a new store is made: other servers of the project must have seen that the old one is gone, or they would
/// take the new one for a stranger.
const REOPEN_DELAY: Duration = Duration::from_secs(2);
/// How long attempts get to end when their store is lost.
const GRACE: Duration = Duration::from_secs(5);
/// How often a store that is refused is looked at again.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// The most lost runs that the log names.
const MAX_NAMED_RUNS: usize = 10;
/// The most bytes of a task in the log.
const MAX_TASK_BYTES: usize = 60;

/// The thread that watches a store.
pub(super) struct Keeper {
    stop: oneshot::Sender<()>,
    /// What is open when the watch ends, if anything is.
    left: oneshot::Receiver<Option<Opened>>,
}

/// What the thread has.
struct Watching {
    options: Options,
    served: watch::Sender<Served>,
    wanted: Arc<Notify>,
    /// All runs that were lost so far, and what happened to their store.
    lost: BTreeMap<RunId, Arc<str>>,
    end: EndDeadline,
}

impl Keeper {
    /// Serves what is open, as long as its store is there.
    ///
    /// # Panics
    /// Outside a tokio runtime, and when the system has no thread left.
    pub(super) fn start(options: Options, opened: Opened, end: EndDeadline) -> (Server, Self) {
        let served = opened.server.desks.current().map(Served::Desk);
        let served = served.unwrap_or_else(|| Served::Lost("there is no store".into()));
        let (desks, served, wanted) = Desks::new(served);
        let (stop, stopped) = oneshot::channel();
        let (leave, left) = oneshot::channel();
        let watching = Watching { options, served, wanted, lost: BTreeMap::new(), end };
        let runtime = tokio::runtime::Handle::current();
        // Not a task: futures of all that it opens and closes are not `Send` for the compiler.
        std::thread::spawn(move || {
            let left = runtime.block_on(watching.run(opened, stopped));
            // Nobody waits any more when the process ends in another way.
            let _ = leave.send(left);
        });
        (Server { desks }, Self { stop, left })
    }

    /// Ends the watch; returns what is open, if anything is. When a lost store is just being left, waits until that is done.
    pub(super) async fn stop(self) -> Option<Opened> {
        // A watch that has ended by itself needs no word.
        let _ = self.stop.send(());
        self.left.await.ok().flatten()
    }
}

impl Watching {
    async fn run(mut self, mut opened: Opened, mut stop: oneshot::Receiver<()>) -> Option<Opened> {
        loop {
            let lost = tokio::select! {
                lost = opened.stores.lost() => lost,
                _ = &mut stop => return Some(opened),
            };
            self.leave(opened, &lost).await;
            opened = tokio::select! {
                opened = self.another(&lost) => opened,
                _ = &mut stop => return None,
            };
        }
    }

    /// Says what happened, serves nothing any more, and ends what goes on.
    async fn leave(&mut self, opened: Opened, lost: &StoreLost) {
        let why: Arc<str> = format!("{}.", in_a_sentence(lost)).into();
        self.served.send_replace(Served::Lost(why.clone()));
        match opened.open_runs().await {
            Ok(rows) => {
                tracing::error!("{why} {}", which(&rows));
                self.lost.extend(rows.iter().map(|row| (row.head.run, why.clone())));
            }
            Err(error) => tracing::error!(%error, "{why} Which runs are lost cannot be read"),
        }
        opened.close(GRACE, &self.end).await;
    }

    /// Opens another store when a call wants one.
    async fn another(&self, lost: &StoreLost) -> Opened {
        tokio::time::sleep(REOPEN_DELAY).await;
        let why: Arc<str> = format!("{}.", in_a_sentence(lost)).into();
        loop {
            if let Some(refusal) = refusal(lost).await {
                self.served.send_replace(Served::Refused(refusal));
                tokio::time::sleep(LOOK_INTERVAL).await;
                continue;
            }
            self.served.send_replace(Served::Lost(why.clone()));
            self.wanted.notified().await;
            // Long may have passed since.
            if refusal(lost).await.is_some() {
                continue;
            }
            match self.open().await {
                Ok(opened) => return opened,
                Err(error) => {
                    let causes = orch_app::with_causes(&error);
                    let text = in_a_sentence(lost);
                    let why = format!("{text}, and no other can be opened: {causes}.");
                    self.served.send_replace(Served::Refused(why.into()));
                    tokio::time::sleep(LOOK_INTERVAL).await;
                }
            }
        }
    }

    async fn open(&self) -> Result<Opened, StandaloneError> {
        let opened = Opened::open(&self.options, self.lost.clone()).await?;
        if let Some(desk) = opened.server.desks.current() {
            self.served.send_replace(Served::Desk(desk));
        }
        tracing::warn!("the server goes on with the store that is there now");
        Ok(opened)
    }
}

/// Says why the store that is in the place of another is not used; `None` when it is the right one again, or none is there.
async fn refusal(lost: &StoreLost) -> Option<Arc<str>> {
    let (path, expected) = match lost {
        StoreLost::Other { path, expected, .. } | StoreLost::NoStore { path, expected } => {
            (path, *expected)
        }
        // There is nothing to be taken for the store, or its own copy.
        StoreLost::Gone { .. } | StoreLost::Copied { .. } | _ => return None,
    };
    match SqliteJournal::read_store_id(path).await {
        Ok(Some(found)) if found == expected => None,
        Err(OpenError::Missing { .. }) => None,
        Ok(_) | Err(_) => {
            let text = in_a_sentence(lost);
            let advice =
                "move the right store back, or start the server again to use what is there";
            Some(format!("{text}. This server does not use it: {advice}.").into())
        }
    }
}

fn in_a_sentence(lost: &StoreLost) -> String {
    let text = lost.to_string();
    match text.strip_prefix("the ") {
        Some(rest) => format!("The {rest}"),
        None => text,
    }
}

/// Says which runs are lost.
fn which(rows: &[RunRow]) -> String {
    if rows.is_empty() {
        return "No run was open in it.".to_owned();
    }
    let named = rows
        .iter()
        .take(MAX_NAMED_RUNS)
        .map(|row| format!("{} ({})", row.head.run, short(&row.head.description, MAX_TASK_BYTES)));
    let named = named.collect::<Vec<_>>().join(", ");
    let more = rows.len().saturating_sub(MAX_NAMED_RUNS);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("Open in it, and lost unless they are in the store that is there next: {named}{more}.")
}
