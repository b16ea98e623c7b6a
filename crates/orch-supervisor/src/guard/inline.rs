//! The inline form: the part is asked where the question arises, and a panic becomes an answer.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use orch_core::{Cause, Failure};

/// Asks a part. `who` names it in messages, for example "router". A panic fails the question, not the engine.
pub(crate) fn ask<T>(who: &str, question: impl FnOnce() -> T) -> Result<T, Failure> {
    // Parts work on borrowed values and have nothing of the engine in their hands: a panic leaves nothing half done here.
    catch_unwind(AssertUnwindSafe(question)).map_err(|panic| {
        Failure::new(Cause::Policy, format!("the {who} panicked: {}", panic_message(&*panic)))
    })
}

/// Returns what a panic said.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
