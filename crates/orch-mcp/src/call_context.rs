//! Whoever waits for the answer of a call: how it hears of progress, and whether it still waits.

use std::pin::Pin;

use crate::caller::Caller;

type Sent = Pin<Box<dyn Future<Output = ()> + Send>>;
type Tell = Box<dyn Fn(Progress) -> Sent + Send + Sync>;

/// How far something is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Progress {
    /// Grows with every notification of a call.
    pub(crate) done: f64,
    /// How far it can be, when that is known.
    pub(crate) total: Option<f64>,
    pub(crate) message: String,
}

/// Whoever waits for the answer of a call.
pub(crate) struct Listener {
    /// Who it is.
    pub(crate) caller: Caller,
    /// How it hears of progress.
    pub(crate) teller: Teller,
    /// Ends when nobody waits any more.
    pub(crate) gone: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// How a listener hears of progress, if it wants to.
pub(crate) struct Teller(Option<Tell>);

impl Listener {
    /// Makes one that hears of nothing and waits until `gone` ends.
    pub(crate) fn new(gone: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { caller: Caller::default(), teller: Teller(None), gone: Box::pin(gone) }
    }

    /// Makes one that hears of nothing and waits for ever.
    pub(crate) fn silent() -> Self {
        Self::new(std::future::pending())
    }

    /// Sets who it is.
    pub(crate) fn called_by(mut self, caller: Caller) -> Self {
        self.caller = caller;
        self
    }

    /// Sets how it hears of progress.
    pub(crate) fn telling(
        mut self,
        tell: impl Fn(Progress) -> Sent + Send + Sync + 'static,
    ) -> Self {
        self.teller = Teller(Some(Box::new(tell)));
        self
    }
}

impl Teller {
    /// Tells whether anybody hears of progress.
    pub(crate) fn is_heard(&self) -> bool {
        self.0.is_some()
    }

    /// Tells how far something is.
    pub(crate) async fn tell(&self, progress: Progress) {
        if let Some(tell) = &self.0 {
            tell(progress).await;
        }
    }
}
