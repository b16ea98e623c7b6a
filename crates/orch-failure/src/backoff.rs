//! The pause before a retry.

use std::num::NonZeroU32;
use std::time::Duration;

use orch_core::RetryPolicy;

/// Returns the pause before retry number `retry` (1 = the first), full jitter: `draw * min(cap, base * 2^(retry-1))`.
///
/// `draw` is in `[0, 1)` and comes from the run's seeded generator, so that a replay waits as long; other numbers are taken
/// as the nearest bound, and what is no number as 1. Saturates at `cap` (`max_delay_ms`); `base` is `retry_delay_ms`.
/// Without `exponential_backoff` it is `draw * min(cap, base)` for every retry.
///
/// ```
/// use std::{num::NonZeroU32, time::Duration};
/// use orch_core::RetryPolicy;
///
/// let policy = RetryPolicy::default().with_retry_delay_ms(100u64).with_max_delay_ms(250u64);
/// let at = |retry| orch_failure::backoff(&policy, NonZeroU32::new(retry).unwrap(), 0.5).as_millis();
/// assert_eq!([at(1), at(2), at(3), at(4)], [50, 100, 125, 125]);
/// ```
pub fn backoff(policy: &RetryPolicy, retry: NonZeroU32, draw: f64) -> Duration {
    let cap = Duration::from_millis(longest_ms(policy, retry));
    let draw = if draw.is_nan() { 1.0 } else { draw.clamp(0.0, 1.0) };
    // Rounding may carry a product of large numbers a little above the cap.
    cap.mul_f64(draw).min(cap)
}

fn longest_ms(policy: &RetryPolicy, retry: NonZeroU32) -> u64 {
    let doublings = if policy.exponential_backoff { retry.get() - 1 } else { 0 };
    let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
    policy.retry_delay_ms.saturating_mul(factor).min(policy.max_delay_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(base: u64, cap: u64, exponential: bool) -> RetryPolicy {
        RetryPolicy::default()
            .with_retry_delay_ms(base)
            .with_max_delay_ms(cap)
            .with_exponential_backoff(exponential)
    }

    #[track_caller]
    fn check(policy: &RetryPolicy, retry: u32, draw: f64, expected_ms: u64) {
        let pause = backoff(policy, NonZeroU32::new(retry).unwrap(), draw);
        assert_eq!(pause, Duration::from_millis(expected_ms));
    }

    #[test]
    fn doubles_up_to_the_cap() {
        let policy = policy(1_000, 5_000, true);
        for (retry, expected) in [(1, 1_000), (2, 2_000), (3, 4_000), (4, 5_000), (40, 5_000)] {
            check(&policy, retry, 1.0, expected);
        }
    }

    #[test]
    fn stays_the_same_when_not_exponential() {
        let policy = policy(1_000, 5_000, false);
        for retry in [1, 2, 7, u32::MAX] {
            check(&policy, retry, 0.25, 250);
        }
        check(&self::policy(9_000, 5_000, false), 1, 1.0, 5_000);
    }

    #[test]
    fn odd_draws_count_as_the_nearest_bound() {
        let policy = policy(1_000, 5_000, true);
        for (draw, expected) in [
            (-1.0, 0),
            (0.0, 0),
            (2.0, 1_000),
            (f64::INFINITY, 1_000),
            (f64::NEG_INFINITY, 0),
            (f64::NAN, 1_000),
        ] {
            check(&policy, 1, draw, expected);
        }
    }

    #[test]
    fn extreme_numbers_saturate() {
        // 2^64 is the first power that does not fit; 2^63 x 2 the first product.
        for (base, retry) in [(1, 65), (1, 66), (2, 64), (u64::MAX, 2), (u64::MAX, u32::MAX)] {
            check(&policy(base, 60_000, true), retry, 1.0, 60_000);
            check(&policy(base, u64::MAX, true), retry, 1.0, u64::MAX);
        }
        check(&policy(0, u64::MAX, true), u32::MAX, 1.0, 0);
    }
}
