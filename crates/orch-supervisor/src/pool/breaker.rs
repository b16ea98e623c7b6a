//! The circuit breaker: closed = attempts pass, open = they do not, half-open = one probe.

use jiff::Timestamp;
use orch_core::{Failure, FailureType};

use crate::machine::after;

/// Failures in a row that open it.
const THRESHOLD: u32 = 5;
/// The first pause, in milliseconds; doubles with every probe that fails.
const FIRST_PAUSE_MS: u64 = 1_000;
/// The longest pause, in milliseconds.
const LONGEST_PAUSE_MS: u64 = 60_000;

/// Counts how often in a row a worker was not there for a type of subtask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Breaker {
    failures: u32,
    /// Set while it is open; once that is over it is half-open.
    until: Option<Timestamp>,
}

impl Breaker {
    /// Tells whether a failure says something about the worker rather than about the work.
    pub(super) fn counts(failure: &Failure) -> bool {
        failure.failure_type == FailureType::Unavailable
    }

    pub(super) fn failed(&mut self, failure: &Failure, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= THRESHOLD {
            let pause = self.pause_ms().max(failure.retry_after_ms.unwrap_or(0));
            self.until = Some(after(now, pause));
        }
    }

    /// Open: nothing passes. Half-open: one attempt passes, the probe, and the next one only after another pause.
    pub(super) fn lets_through(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    /// Takes note of the probe.
    pub(super) fn probe(&mut self, now: Timestamp) {
        if self.until.is_some() {
            self.until = Some(after(now, self.pause_ms()));
        }
    }

    fn pause_ms(&self) -> u64 {
        let doublings = self.failures.saturating_sub(THRESHOLD).min(16);
        (FIRST_PAUSE_MS << doublings).min(LONGEST_PAUSE_MS)
    }

    pub(super) fn opens_until(&self) -> Option<Timestamp> {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use orch_core::Cause;

    use super::*;

    #[test]
    fn opens_after_five_failures_and_lets_one_probe_through() {
        let at = |ms| after(Timestamp::UNIX_EPOCH, ms);
        let failure = Failure::new(Cause::Unavailable, "away");
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            breaker.failed(&failure, at(0));
            assert!(breaker.lets_through(at(0)));
        }
        breaker.failed(&failure, at(0));
        assert!(!breaker.lets_through(at(999)));
        assert!(breaker.lets_through(at(1_000)));
        breaker.probe(at(1_000));
        assert!(!breaker.lets_through(at(1_000)), "one probe at a time");
        assert!(breaker.lets_through(at(2_000)), "unless nothing is heard of it");
        breaker.failed(&failure, at(1_000));
        assert_eq!(breaker.opens_until(), Some(at(3_000)), "the pause doubles");
    }

    #[test]
    fn waits_as_long_as_it_is_told() {
        let failure = Failure::new(Cause::RateLimit, "slow down").with_retry_after_ms(30_000);
        let mut breaker = Breaker::default();
        for _ in 0..5 {
            breaker.failed(&failure, Timestamp::UNIX_EPOCH);
        }
        assert_eq!(breaker.opens_until(), Some(after(Timestamp::UNIX_EPOCH, 30_000)));
    }

    #[test]
    fn only_unavailability_counts() {
        assert!(Breaker::counts(&Failure::new(Cause::RateLimit, "")));
        assert!(!Breaker::counts(&Failure::new(Cause::Reported, "")));
        assert!(!Breaker::counts(&Failure::new(Cause::Gate, "")));
    }
}
