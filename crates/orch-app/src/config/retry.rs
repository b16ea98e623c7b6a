//! `retry`: how failed subtasks are tried again.

use orch_core::RetryPolicy;
use serde::Deserialize;

use super::span::Span;

/// How failed subtasks are tried again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Retry {
    max_retries: Option<u32>,
    retry_delay: Option<Span>,
    exponential_backoff: Option<bool>,
    max_delay: Option<Span>,
    use_fallback_worker: Option<bool>,
}

impl Retry {
    /// Returns the policy: what is not said has the default of [`RetryPolicy`].
    pub fn policy(&self) -> RetryPolicy {
        let default = RetryPolicy::default();
        RetryPolicy::default()
            .with_max_retries(self.max_retries.unwrap_or(default.max_retries))
            .with_retry_delay_ms(self.retry_delay.map_or(default.retry_delay_ms, Span::as_millis))
            .with_exponential_backoff(
                self.exponential_backoff.unwrap_or(default.exponential_backoff),
            )
            .with_max_delay_ms(self.max_delay.map_or(default.max_delay_ms, Span::as_millis))
            .with_use_fallback_worker(
                self.use_fallback_worker.unwrap_or(default.use_fallback_worker),
            )
    }
}
