//! Spans of time as text, `90s` or `1h 30m`, as the workers' blocks have them.

use std::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact;
use serde::{Deserialize, Serialize};

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Span(#[serde(with = "compact::required")] pub(crate) Duration);

impl Span {
    /// Returns the whole milliseconds; saturates.
    pub(crate) fn as_millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}
