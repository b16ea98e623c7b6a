//! What went wrong again and again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The most characters of a message that are kept.
const MESSAGE: usize = 300;

/// How often something went wrong, and how it looked the last time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FailurePattern {
    /// How often.
    pub count: u64,
    /// When last.
    pub last_at: Timestamp,
    /// What was said then, at most 300 characters.
    pub message: String,
}

impl FailurePattern {
    /// Makes a pattern of one failure.
    pub fn one(at: Timestamp, message: &str) -> Self {
        Self { count: 1, last_at: at, message: message.chars().take(MESSAGE).collect() }
    }

    /// Adds everything that `other` has.
    pub fn merge(&mut self, other: &Self) {
        self.count = self.count.wrapping_add(other.count);
        // Of two at the same time the greater text, so that the order of merging cannot be seen.
        if (other.last_at, &other.message) > (self.last_at, &self.message) {
            self.last_at = other.last_at;
            self.message.clone_from(&other.message);
        }
    }
}
