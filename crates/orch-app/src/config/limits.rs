//! `limits`: how much at once, how long, how many.

use orch_core::RunSettings;
use serde::Deserialize;

use super::span::Span;

/// How much at once, how long, how many. What is not said has the default of [`RunSettings`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// The most attempts in flight in a run.
    pub max_parallel: Option<u32>,
    /// The most attempts in flight in a process.
    pub process_cap: Option<u32>,
    /// The most subtasks of a plan.
    pub max_subtasks: Option<u32>,
    attempt_timeout: Option<Span>,
    lease: Option<Span>,
    offer_timeout: Option<Span>,
    grace: Option<Span>,
}

impl Limits {
    /// Names the limits that would let nothing happen.
    pub(super) fn faults(&self) -> Vec<(&'static str, String)> {
        let counts = [
            ("max_parallel", self.max_parallel),
            ("process_cap", self.process_cap),
            ("max_subtasks", self.max_subtasks),
        ];
        let spans = [
            ("attempt_timeout", self.attempt_timeout),
            ("lease", self.lease),
            ("offer_timeout", self.offer_timeout),
        ];
        let counts = counts.into_iter().filter(|(_, value)| *value == Some(0));
        let spans =
            spans.into_iter().filter(|(_, value)| value.is_some_and(|span| span.as_millis() == 0));
        let counts = counts.map(|(field, _)| (field, "is 0; give at least 1".to_owned()));
        counts.chain(spans.map(|(field, _)| (field, "must be at least 1ms".to_owned()))).collect()
    }

    pub(super) fn apply(&self, settings: RunSettings) -> RunSettings {
        let max_parallel = self.max_parallel.unwrap_or(settings.max_parallel);
        let max_subtasks = self.max_subtasks.unwrap_or(settings.max_subtasks);
        let millis = |span: Option<Span>, default: u64| span.map_or(default, Span::as_millis);
        let attempt = millis(self.attempt_timeout, settings.attempt_timeout_ms);
        let lease = millis(self.lease, settings.lease_ms);
        let offer = millis(self.offer_timeout, settings.offer_timeout_ms);
        let grace = millis(self.grace, settings.grace_ms);
        settings
            .with_max_parallel(max_parallel)
            .with_max_subtasks(max_subtasks)
            .with_attempt_timeout_ms(attempt)
            .with_lease_ms(lease)
            .with_offer_timeout_ms(offer)
            .with_grace_ms(grace)
    }
}
