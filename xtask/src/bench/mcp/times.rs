//! How long calls took.

use std::time::Duration;

use serde::Serialize;

/// The times of one kind of call.
#[derive(Default)]
pub(super) struct Times(Vec<Duration>);

/// What is shown of them, in milliseconds.
#[derive(Clone, Copy, Serialize, PartialEq, Debug)]
pub(super) struct Spread {
    pub(super) calls: usize,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
}

impl Times {
    pub(super) fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub(super) fn spread(&self) -> Spread {
        let mut all: Vec<f64> = self.0.iter().map(|time| time.as_secs_f64() * 1e3).collect();
        all.sort_by(f64::total_cmp);
        let quantile = |percent: usize| {
            // The smallest value that so many percent of all do not exceed.
            let place = (all.len() * percent).div_ceil(100).saturating_sub(1);
            all.get(place).copied().unwrap_or(f64::NAN)
        };
        Spread {
            calls: all.len(),
            p50_ms: quantile(50),
            p99_ms: quantile(99),
            max_ms: quantile(100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_seen() {
        let mut times = Times::default();
        (1..=200).rev().for_each(|ms| times.add(Duration::from_millis(ms)));
        let seen = Spread { calls: 200, p50_ms: 100.0, p99_ms: 198.0, max_ms: 200.0 };
        assert_eq!(times.spread(), seen);
        assert!(Times::default().spread().p99_ms.is_nan());
    }
}
