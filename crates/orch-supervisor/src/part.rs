//! How a part of a user is asked: on a thread with a time limit, or inline.

use std::sync::Arc;

use orch_core::{FailureHandler, QualityGate, Router};

/// Marks a part that the engine asks inline, on its own thread: faster, and without a time limit. It is for parts that always
/// answer within a few milliseconds.
///
/// ```
/// use orch_core::Gate;
/// use orch_supervisor::{Inline, Supervisor};
///
/// let builder = Supervisor::builder().gate(Inline(Gate::NonEmpty));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Inline<P>(pub P);

/// A part with the way in which it is asked; made from the part itself, or from the part in [`Inline`].
pub struct Part<T: ?Sized> {
    pub(crate) part: Arc<T>,
    pub(crate) is_inline: bool,
}

impl<T: ?Sized> Clone for Part<T> {
    fn clone(&self) -> Self {
        Self { part: self.part.clone(), is_inline: self.is_inline }
    }
}

macro_rules! made_from {
    ($kind:ident) => {
        impl<P: $kind> From<P> for Part<dyn $kind> {
            fn from(part: P) -> Self {
                Self { part: Arc::new(part), is_inline: false }
            }
        }

        impl<P: $kind> From<Inline<P>> for Part<dyn $kind> {
            fn from(part: Inline<P>) -> Self {
                Self { part: Arc::new(part.0), is_inline: true }
            }
        }
    };
}

made_from!(Router);
made_from!(FailureHandler);
made_from!(QualityGate);
