//! Which desk serves calls now: another one once the store of the first is lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::desk::Desk;
use crate::error::ToolError;

/// How long a call waits until a lost store has been left and a new one is open.
const STORE_TIMEOUT: Duration = Duration::from_secs(15);

/// What is served now.
#[derive(Clone)]
#[cfg_attr(
    not(feature = "standalone"),
    expect(dead_code, reason = "only the server of a project watches its store")
)]
pub(crate) enum Served {
    /// A desk.
    Desk(Arc<Desk>),
    /// Nothing, since the store was lost, which this sentence says; the next call opens another.
    Lost(Arc<str>),
    /// Nothing, since no store can be opened; this sentence says why.
    Refused(Arc<str>),
}

/// Where calls find the desk that serves them.
#[derive(Clone)]
pub(crate) struct Desks {
    served: watch::Receiver<Served>,
    /// Tells the keeper, which opens stores, that a call has come.
    wanted: Arc<Notify>,
}

impl Desks {
    /// Makes the way to what is served, and the two ends that the keeper holds.
    pub(crate) fn new(served: Served) -> (Self, watch::Sender<Served>, Arc<Notify>) {
        let (sender, served) = watch::channel(served);
        let wanted = Arc::new(Notify::new());
        (Self { served, wanted: wanted.clone() }, sender, wanted)
    }

    /// Returns the desk for a call; waits for one while there is none, but not for ever.
    pub(crate) async fn desk(&self) -> Result<Arc<Desk>, ToolError> {
        let mut served = self.served.clone();
        if matches!(*served.borrow(), Served::Lost(_)) {
            self.wanted.notify_one();
        }
        // Who gets no answer in time is told the same as who asks when there is none.
        let waiting = served.wait_for(|served| !matches!(served, Served::Lost(_)));
        drop(tokio::time::timeout(STORE_TIMEOUT, waiting).await);
        match &*self.served.borrow() {
            Served::Desk(desk) => Ok(desk.clone()),
            Served::Lost(why) | Served::Refused(why) => Err(ToolError::StoreLost(why.clone())),
        }
    }

    /// Returns the desk that serves calls at this moment, if one does.
    pub(crate) fn current(&self) -> Option<Arc<Desk>> {
        match &*self.served.borrow() {
            Served::Desk(desk) => Some(desk.clone()),
            Served::Lost(_) | Served::Refused(_) => None,
        }
    }

    /// Checks that a desk still serves calls: what it says is worth nothing once its store is lost.
    pub(crate) fn still(&self, desk: &Arc<Desk>) -> Result<(), ToolError> {
        match &*self.served.borrow() {
            Served::Desk(now) if Arc::ptr_eq(now, desk) => Ok(()),
            Served::Desk(_) => Err(ToolError::StoreLost(
                "The store was lost during this call; make the same call again.".into(),
            )),
            Served::Lost(why) | Served::Refused(why) => Err(ToolError::StoreLost(why.clone())),
        }
    }
}
