//! The context of a call: where its progress goes, and whether the caller still waits.

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

/// The context of a call.
pub(crate) struct CallContext {
    /// Who calls.
    pub(crate) caller: Caller,
    /// Where the progress of the call goes.
    pub(crate) sink: ProgressSink,
    /// Ends when the caller does not wait any more.
    pub(crate) gone: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// Where progress goes, if the caller wants it.
pub(crate) struct ProgressSink(Option<Tell>);

impl CallContext {
    /// Makes the context of a caller who wants no progress and waits until `gone` ends.
    pub(crate) fn new(gone: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { caller: Caller::default(), sink: ProgressSink(None), gone: Box::pin(gone) }
    }

    /// Makes the context of a caller who wants no progress and waits for ever.
    pub(crate) fn silent() -> Self {
        Self::new(std::future::pending())
    }

    /// Sets who calls.
    pub(crate) fn called_by(mut self, caller: Caller) -> Self {
        self.caller = caller;
        self
    }

    /// Sets where progress goes.
    pub(crate) fn with_progress(
        mut self,
        tell: impl Fn(Progress) -> Sent + Send + Sync + 'static,
    ) -> Self {
        self.sink = ProgressSink(Some(Box::new(tell)));
        self
    }
}

impl ProgressSink {
    /// Returns whether the caller wants progress.
    pub(crate) fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Sends how far something is.
    pub(crate) async fn send(&self, progress: Progress) {
        if let Some(tell) = &self.0 {
            tell(progress).await;
        }
    }
}
