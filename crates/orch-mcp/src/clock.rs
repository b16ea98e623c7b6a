//! The one file that reads the clock.

use jiff::Timestamp;

/// Returns the wall time.
pub(crate) fn wall() -> Timestamp {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place of this crate that reads the clock"
    )]
    Timestamp::now()
}

/// Returns the time of a clock that never goes back.
#[cfg(feature = "http")]
pub(crate) fn monotonic() -> std::time::Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one file of this crate that reads the clock"
    )]
    std::time::Instant::now()
}
