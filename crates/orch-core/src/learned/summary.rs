//! What snapshots have of a worker at a type of subtask.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Day, HALF_LIFE_DAYS, Typical, Weighted, WorkerStats};

/// A [`WorkerStats`] in a fixed number of numbers, so that a snapshot can have it for every worker at every type.
///
/// It is made when the sums change. Since all weights fall by the same factor from day to day, it says what the sums say whenever
/// it is read.
///
/// ```
/// use orch_core::learned::{Day, Moments, Reward, WorkerStats};
///
/// let mut stats = WorkerStats::default();
/// stats.history.record(Day(7), Moments::one(true, Reward::FULL));
/// stats.history.record(Day(7), Moments::one(false, Reward::NONE));
/// let summary = stats.summary().unwrap();
/// assert_eq!((summary.attempts, summary.successes), (2, 1));
/// assert_eq!(summary.decayed(Day(37)).n, 1.0, "a half-life later they count half");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "Row", into = "Row")]
#[non_exhaustive]
pub struct WorkerSummary {
    /// When the first attempt was finished.
    pub first_at: Option<Timestamp>,
    /// The day of the latest.
    pub latest: Day,
    /// How many attempts were finished.
    pub attempts: u64,
    /// How many of them succeeded.
    pub successes: u64,
    /// The sums over the attempts, decayed by [`HALF_LIFE_DAYS`] as of `latest`, in whole millionths.
    seen: Weighted,
    /// How long accepted attempts took, in milliseconds.
    pub duration_ms: Option<Typical>,
    /// What attempts cost that said so, in millionths of a US dollar.
    pub cost_micro_usd: Option<Typical>,
    /// How many tokens attempts used that said so.
    pub tokens: Option<Typical>,
}

impl WorkerStats {
    /// Returns them in few numbers; `None` without finished attempts.
    pub fn summary(&self) -> Option<WorkerSummary> {
        let (latest, total) = (self.history.latest()?, self.history.total());
        (total.count() > 0).then(|| WorkerSummary {
            first_at: self.first_at,
            latest,
            attempts: total.count(),
            successes: total.successes(),
            seen: of_micros(to_micros(self.history.decayed(latest, HALF_LIFE_DAYS))),
            duration_ms: Typical::of(&self.duration_ms),
            cost_micro_usd: Typical::of(&self.cost_micro_usd),
            tokens: Typical::of(&self.tokens),
        })
    }
}

impl WorkerSummary {
    /// Returns the sums over the attempts, decayed by [`HALF_LIFE_DAYS`] as of `today`, which is not before `latest`.
    pub fn decayed(&self, today: Day) -> Weighted {
        let age = f64::from(today.0.saturating_sub(self.latest.0));
        self.seen * (-age / HALF_LIFE_DAYS).exp2()
    }
}

/// The JSON form, short since there are many: first (microseconds since 1970), latest, attempts, successes, four decayed sums in
/// millionths, durations, costs, tokens.
type Row =
    (Option<i64>, Day, u64, u64, [i64; 4], Option<[u64; 4]>, Option<[u64; 4]>, Option<[u64; 4]>);

impl From<Row> for WorkerSummary {
    fn from((first, latest, attempts, successes, seen, durations, costs, tokens): Row) -> Self {
        Self {
            first_at: first.and_then(|first| Timestamp::from_microsecond(first).ok()),
            latest,
            attempts,
            successes,
            seen: of_micros(seen),
            duration_ms: durations.map(Typical::from),
            cost_micro_usd: costs.map(Typical::from),
            tokens: tokens.map(Typical::from),
        }
    }
}

impl From<WorkerSummary> for Row {
    fn from(summary: WorkerSummary) -> Self {
        let typical = |typical: Option<Typical>| typical.map(<[u64; 4]>::from);
        (
            summary.first_at.map(Timestamp::as_microsecond),
            summary.latest,
            summary.attempts,
            summary.successes,
            to_micros(summary.seen),
            typical(summary.duration_ms),
            typical(summary.cost_micro_usd),
            typical(summary.tokens),
        )
    }
}

fn to_micros(seen: Weighted) -> [i64; 4] {
    // The casts saturate.
    [seen.n, seen.successes, seen.reward, seen.squares].map(|sum| (sum * 1e6).round() as i64)
}

fn of_micros(micros: [i64; 4]) -> Weighted {
    let [n, successes, reward, squares] = micros.map(|sum| sum as f64 / 1e6);
    Weighted { n, successes, reward, squares }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::learned::{Moments, Reward};

    proptest! {
        #[test]
        fn a_summary_says_what_the_sums_say(
            outcomes in vec((-400_i32..4_000, any::<bool>(), 0.0..1.0, 0_u64..1_000_000), 1..60),
            later in 0_i32..400,
        ) {
            let mut stats = WorkerStats::default();
            for (day, success, reward, ms) in outcomes {
                stats.history.record(Day(day), Moments::one(success, Reward::new(reward)));
                stats.duration_ms.record(ms);
            }
            let summary = stats.summary().unwrap();
            let today = Day(summary.latest.0 + later);
            let (got, exact) = (summary.decayed(today), stats.history.decayed(today, HALF_LIFE_DAYS));
            for (got, exact) in [(got.n, exact.n), (got.successes, exact.successes), (got.reward, exact.reward), (got.squares, exact.squares)] {
                prop_assert!((got - exact).abs() < 1e-6, "{} for {}", got, exact);
            }
            let json = serde_json::to_string(&summary).unwrap();
            prop_assert_eq!(summary, serde_json::from_str(&json).unwrap(), "{}", json);
        }
    }

    #[test]
    fn without_attempts_there_is_nothing_to_sum_up() {
        let mut stats = WorkerStats::default();
        assert_eq!(stats.summary(), None);
        stats.history.record(Day(1), Moments::default());
        assert_eq!(stats.summary(), None);
    }
}
