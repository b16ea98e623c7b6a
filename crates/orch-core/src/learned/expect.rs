//! What is to be expected of workers, read from their record.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    Day, HALF_LIFE_DAYS, Learned, PlanStats, Spread, Weighted, WorkerSummary, lower_bound,
};
use crate::WorkerName;

/// The middle and the upper end of a quantity that was seen several times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Typical {
    /// How often it was seen.
    pub seen: u64,
    /// Half of the values were at most this.
    pub p50: u64,
    /// Nine of ten values were at most this.
    pub p90: u64,
    /// 99 of 100 values were at most this.
    pub p99: u64,
}

impl Typical {
    /// Reads a spread; `None` without values.
    pub fn of(spread: &Spread) -> Option<Self> {
        let quantile = |q| spread.quantile(q);
        Some(Self {
            seen: spread.count(),
            p50: quantile(0.5)?,
            p90: quantile(0.9)?,
            p99: quantile(0.99)?,
        })
    }

    /// Returns what is typical of all of `parts` together, as near as it can be told from them: of each quantile the same quantile of
    /// those of the parts, each counted as often as it was seen. Exact where the parts are alike. `None` without parts.
    pub fn of_all(parts: impl IntoIterator<Item = Self>) -> Option<Self> {
        let parts: Vec<Self> = parts.into_iter().collect();
        let seen = parts.iter().fold(0_u64, |sum, part| sum.saturating_add(part.seen));
        let quantile = |q: f64, of: fn(&Self) -> u64| {
            let mut values: Vec<(u64, u64)> =
                parts.iter().map(|part| (of(part), part.seen)).collect();
            values.sort_unstable();
            let rank = ((q * seen as f64).ceil() as u64).clamp(1, seen.max(1));
            let mut below = 0_u64;
            values.into_iter().find_map(|(value, count)| {
                below = below.saturating_add(count);
                (below >= rank).then_some(value)
            })
        };
        Some(Self {
            seen,
            p50: quantile(0.5, |part| part.p50)?,
            p90: quantile(0.9, |part| part.p90)?,
            p99: quantile(0.99, |part| part.p99)?,
        })
    }
}

impl From<[u64; 4]> for Typical {
    fn from([seen, p50, p90, p99]: [u64; 4]) -> Self {
        Self { seen, p50, p90, p99 }
    }
}

impl From<Typical> for [u64; 4] {
    fn from(typical: Typical) -> Self {
        [typical.seen, typical.p50, typical.p90, typical.p99]
    }
}

/// What is to be expected of a worker at a type of subtask, of all workers at it together, or of runs with a kind of plan.
///
/// ```
/// use orch_core::learned::{Day, Moments, Reward, WorkerStats};
///
/// let mut stats = WorkerStats::default();
/// for ms in [20, 30, 90] {
///     stats.history.record(Day(7), Moments::one(true, Reward::FULL));
///     stats.duration_ms.record(ms);
/// }
/// let expected = stats.summary().unwrap().expectation(Day(7));
/// assert_eq!((expected.attempts, expected.duration_ms.unwrap().p50), (3, 30));
/// assert!(expected.to_string().starts_with("3/3 succeeded"));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Expectation {
    /// How many attempts were finished, or runs ended.
    pub attempts: u64,
    /// How many of them succeeded.
    pub successes: u64,
    /// The [`lower_bound`] of the reward, outcomes decayed by [`HALF_LIFE_DAYS`], 0 to 1.
    pub confidence: f64,
    /// How long accepted attempts, or runs, took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<Typical>,
    /// What attempts cost that said so, in millionths of a US dollar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_micro_usd: Option<Typical>,
    /// How many tokens attempts used that said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Typical>,
}

impl fmt::Display for Expectation {
    /// Writes the counts, and the median and the 90 % quantile of what is known of time and cost.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{} succeeded (score >= {:.2}, 95 % confidence)",
            self.successes, self.attempts, self.confidence
        )?;
        if let Some(Typical { p50, p90, .. }) = self.duration_ms {
            let [p50, p90] = [p50, p90].map(|ms| ms as f64 / 1e3);
            write!(f, "; p50 {p50:.2} s, p90 {p90:.2} s")?;
        }
        if let Some(Typical { p50, p90, .. }) = self.cost_micro_usd {
            let [p50, p90] = [p50, p90].map(|micro| micro as f64 / 1e6);
            write!(f, "; cost p50 ${p50:.4}, p90 ${p90:.4}")?;
        }
        Ok(())
    }
}

impl WorkerSummary {
    /// Returns what is to be expected by what is known on `today`.
    pub fn expectation(&self, today: Day) -> Expectation {
        Expectation {
            attempts: self.attempts,
            successes: self.successes,
            confidence: lower_bound(&self.decayed(today)),
            duration_ms: self.duration_ms,
            cost_micro_usd: self.cost_micro_usd,
            tokens: self.tokens,
        }
    }
}

impl PlanStats {
    /// Returns what is to be expected of such runs by what is known on `today`; `None` without runs.
    pub fn expectation(&self, today: Day) -> Option<Expectation> {
        let total = self.history.total();
        (total.count() > 0).then(|| Expectation {
            attempts: total.count(),
            successes: total.successes(),
            confidence: lower_bound(&self.history.decayed(today, HALF_LIFE_DAYS)),
            duration_ms: Typical::of(&self.duration_ms),
            cost_micro_usd: None,
            tokens: None,
        })
    }
}

impl Learned {
    /// Returns what is to be expected of `worker` at `task_type`; `None` when it has never finished an attempt of that type.
    pub fn expectation(&self, worker: &WorkerName, task_type: &str) -> Option<Expectation> {
        Some(self.of(worker, task_type)?.expectation(self.today))
    }

    /// Returns what to expect of `task_type`, all workers together; `None` when no attempt of it has ended. Quantiles
    /// are those of [`Typical::of_all`].
    pub fn expectation_of_type(&self, task_type: &str) -> Option<Expectation> {
        let workers =
            || self.workers.get(task_type).into_iter().flat_map(|of_type| of_type.values());
        let mut seen = Weighted::default();
        workers().for_each(|summary| seen += summary.decayed(self.today));
        let attempts = workers().map(|summary| summary.attempts).sum();
        (attempts > 0).then(|| Expectation {
            attempts,
            successes: workers().map(|summary| summary.successes).sum(),
            confidence: lower_bound(&seen),
            duration_ms: Typical::of_all(workers().filter_map(|summary| summary.duration_ms)),
            cost_micro_usd: Typical::of_all(workers().filter_map(|summary| summary.cost_micro_usd)),
            tokens: Typical::of_all(workers().filter_map(|summary| summary.tokens)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learned::{Moments, Reward, WorkerStats};

    fn stats(durations: &[u64], failures: u32) -> WorkerStats {
        let mut stats = WorkerStats::default();
        for ms in durations {
            stats.history.record(Day(7), Moments::one(true, Reward::FULL));
            stats.duration_ms.record(*ms);
        }
        (0..failures).for_each(|_| stats.history.record(Day(7), Moments::one(false, Reward::NONE)));
        stats
    }

    #[test]
    fn a_type_is_all_its_workers_together() {
        let mut learned = Learned::new();
        learned.today = Day(7);
        let summary = |durations, failures| stats(durations, failures).summary().unwrap();
        let of_type =
            [("ann".into(), summary(&[10, 10], 0)), ("bob".into(), summary(&[30], 1))].into();
        learned.workers.insert("api".into(), of_type);
        let bob = learned.expectation(&"bob".into(), "api").unwrap();
        assert_eq!((bob.attempts, bob.successes), (2, 1));
        assert_eq!(bob.duration_ms, Some([1, 30, 30, 30].into()));
        let all = learned.expectation_of_type("api").unwrap();
        assert_eq!((all.attempts, all.successes), (4, 3));
        assert_eq!(all.duration_ms, Some([3, 10, 30, 30].into()));
        assert!(all.confidence > bob.confidence);
        assert_eq!(learned.expectation(&"cid".into(), "api"), None);
        assert_eq!(learned.expectation_of_type("ui"), None);
    }

    #[test]
    fn a_sentence_says_only_what_is_known() {
        let mut one = stats(&[1_500], 0);
        let says = |stats: &WorkerStats| stats.summary().unwrap().expectation(Day(7)).to_string();
        assert_eq!(
            says(&one),
            "1/1 succeeded (score >= 0.23, 95 % confidence); p50 1.50 s, p90 1.50 s"
        );
        one.cost_micro_usd.record(20_000);
        assert!(says(&one).ends_with("; cost p50 $0.0200, p90 $0.0200"), "{}", says(&one));
        assert!(!says(&stats(&[], 2)).contains("p50"));
    }
}
