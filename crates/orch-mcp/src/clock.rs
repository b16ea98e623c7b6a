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
