//! What is to be expected of workers, read from their record.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Day, HALF_LIFE_DAYS, History, Learned, PlanStats, Spread, WorkerStats, lower_bound};
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
}

impl Typical {
    /// Reads a spread; `None` without values.
    pub fn of(spread: &Spread) -> Option<Self> {
        let quantile = |q| spread.quantile(q);
        Some(Self { seen: spread.count(), p50: quantile(0.5)?, p90: quantile(0.9)? })
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
/// let expected = stats.expectation(Day(7)).unwrap();
/// assert_eq!((expected.attempts, expected.duration_ms.unwrap().p50), (3, 30));
/// assert!(expected.to_string().starts_with("succeeded 3 of 3 times"));
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
    /// Writes a sentence without its subject and its full stop.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "succeeded {} of {} times, with 95 % certainty good for more than {:.2} of the full reward",
            self.successes, self.attempts, self.confidence
        )?;
        if let Some(Typical { p50, p90, .. }) = self.duration_ms {
            let [p50, p90] = [p50, p90].map(|ms| ms as f64 / 1e3);
            write!(f, "; takes {p50:.2} s in the middle and at most {p90:.2} s in 9 of 10 cases")?;
        }
        if let Some(Typical { p50, p90, .. }) = self.cost_micro_usd {
            let [p50, p90] = [p50, p90].map(|micro| micro as f64 / 1e6);
            write!(f, "; costs ${p50:.4} in the middle and at most ${p90:.4} in 9 of 10 cases")?;
        }
        Ok(())
    }
}

impl Expectation {
    fn of(history: &History, duration_ms: &Spread, today: Day) -> Option<Self> {
        let total = history.total();
        (total.count() > 0).then(|| Self {
            attempts: total.count(),
            successes: total.successes(),
            confidence: lower_bound(&history.decayed(today, HALF_LIFE_DAYS)),
            duration_ms: Typical::of(duration_ms),
            cost_micro_usd: None,
            tokens: None,
        })
    }
}

impl WorkerStats {
    /// Returns what is to be expected by what is known on `today`; `None` without finished attempts.
    pub fn expectation(&self, today: Day) -> Option<Expectation> {
        let expected = Expectation::of(&self.history, &self.duration_ms, today)?;
        let cost_micro_usd = Typical::of(&self.cost_micro_usd);
        Some(Expectation { cost_micro_usd, tokens: Typical::of(&self.tokens), ..expected })
    }
}

impl PlanStats {
    /// Returns what is to be expected of such runs by what is known on `today`; `None` without runs.
    pub fn expectation(&self, today: Day) -> Option<Expectation> {
        Expectation::of(&self.history, &self.duration_ms, today)
    }
}

impl Learned {
    /// Returns what is to be expected of `worker` at `task_type`; `None` when it has never finished an attempt of that type.
    pub fn expectation(&self, worker: &WorkerName, task_type: &str) -> Option<Expectation> {
        self.of(worker, task_type)?.expectation(self.today)
    }

    /// Returns what is to be expected of `task_type` whoever does it; `None` when nobody has finished an attempt of it.
    pub fn expectation_of_type(&self, task_type: &str) -> Option<Expectation> {
        let mut all = WorkerStats::default();
        self.workers.get(task_type)?.values().for_each(|stats| all.merge(stats));
        all.expectation(self.today)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learned::{Moments, Reward};

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
        let of_type = [("ann".into(), stats(&[10, 10], 0)), ("bob".into(), stats(&[30], 1))].into();
        learned.workers.insert("api".into(), of_type);
        let bob = learned.expectation(&"bob".into(), "api").unwrap();
        assert_eq!((bob.attempts, bob.successes), (2, 1));
        assert_eq!(bob.duration_ms, Some(Typical { seen: 1, p50: 30, p90: 30 }));
        let all = learned.expectation_of_type("api").unwrap();
        assert_eq!((all.attempts, all.successes), (4, 3));
        assert_eq!(all.duration_ms, Some(Typical { seen: 3, p50: 10, p90: 30 }));
        assert!(all.confidence > bob.confidence);
        assert_eq!(learned.expectation(&"cid".into(), "api"), None);
        assert_eq!(learned.expectation_of_type("ui"), None);
        assert_eq!(WorkerStats::default().expectation(Day(7)), None);
    }

    #[test]
    fn a_sentence_says_only_what_is_known() {
        let mut one = stats(&[1_500], 0);
        let says = |stats: &WorkerStats| stats.expectation(Day(7)).unwrap().to_string();
        assert_eq!(
            says(&one),
            "succeeded 1 of 1 times, with 95 % certainty good for more than 0.23 of the full reward; takes 1.50 s in the middle and \
             at most 1.50 s in 9 of 10 cases"
        );
        one.cost_micro_usd.record(20_000);
        assert!(
            says(&one)
                .ends_with("; costs $0.0200 in the middle and at most $0.0200 in 9 of 10 cases"),
            "{}",
            says(&one)
        );
        assert!(!says(&stats(&[], 2)).contains("takes"));
    }
}
