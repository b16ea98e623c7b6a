//! Sums over outcomes by the day on which they happened.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Moments, Weighted};

/// A day: whole days since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Day(pub i32);

impl Day {
    /// Returns the day of `at`.
    pub fn of(at: Timestamp) -> Self {
        let days = at.as_second().div_euclid(86_400);
        Self(i32::try_from(days).expect("a timestamp lies within 10,000 years of 1970"))
    }
}

/// The half-life that is meant where none is named: an outcome of a month ago counts half.
pub const HALF_LIFE_DAYS: f64 = 30.0;

/// A block of `2^k` days is made when it is as old as so many times its length.
const AGE_IN_LENGTHS: i64 = 2;

/// Sums over outcomes, kept by day while they are young and by blocks of 2, 4, 8, ... days as they age.
///
/// Decay goes forward in time (Cormode, Shkapenyuk, Srivastava, Xu: Forward Decay, ICDE 2009): an outcome enters by the time
/// at which it happened, measured from a fixed landmark, and its weight follows when the sums are read. Since the sums of
/// a block are integers, no order of recording or merging can be told from another, and the half-life is the reader's choice.
/// The blocks are tilted time windows (Giannella, Han, Pei, Yan, Yu, 2003): `O(log(age))` of them, none longer than half its age.
///
/// ```
/// use orch_core::learned::{Day, History, Moments, Reward};
///
/// let mut history = History::default();
/// history.record(Day(100), Moments::one(false, Reward::NONE));
/// history.record(Day(130), Moments::one(true, Reward::FULL));
/// let seen = history.decayed(Day(130), 30.0);
/// assert_eq!(history.total().count(), 2);
/// assert!((seen.n - 1.5).abs() < 0.05, "one of today, and one of a half-life ago");
/// assert!(seen.success_rate().unwrap() > 0.6, "the success is a half-life younger");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<[i64; 5]>", into = "Vec<[i64; 5]>")]
pub struct History {
    /// By the first day of the block. The last key is the latest day: a block of that age is one day long.
    blocks: BTreeMap<Day, Moments>,
}

impl History {
    /// Adds what happened on `day`.
    pub fn record(&mut self, day: Day, moments: Moments) {
        let latest = self.latest().max(Some(day)).unwrap_or(day);
        if self.latest().is_some_and(|before| before < latest) {
            self.age(latest);
        }
        *self.blocks.entry(block(day, latest).0).or_default() += moments;
    }

    /// Adds everything that `other` has.
    pub fn merge(&mut self, other: &Self) {
        // The latest first, so that the blocks are grown once.
        for (day, moments) in other.blocks.iter().rev() {
            self.record(*day, *moments);
        }
    }

    fn age(&mut self, latest: Day) {
        for (day, moments) in std::mem::take(&mut self.blocks) {
            *self.blocks.entry(block(day, latest).0).or_default() += moments;
        }
    }

    /// Returns the latest day on which something happened.
    pub fn latest(&self) -> Option<Day> {
        self.blocks.last_key_value().map(|(day, _)| *day)
    }

    /// Returns the sums over everything, old and young alike.
    pub fn total(&self) -> Moments {
        self.blocks.values().fold(Moments::default(), |mut sum, moments| {
            sum += *moments;
            sum
        })
    }

    /// Returns the sums over everything with weights `2^(-age / half_life_days)`, the age as of `now`, at least 0.
    ///
    /// What happened within a block counts as old as the middle of the block: a weight is off by a factor of at most
    /// `2^(age / (4 * half_life_days))`. An infinite half-life gives the total.
    pub fn decayed(&self, now: Day, half_life_days: f64) -> Weighted {
        self.blocks().fold(Weighted::default(), |mut sum, (first, days, moments)| {
            let middle = f64::from(first.0) + f64::from(days - 1) / 2.0;
            let age = (f64::from(now.0) - middle).max(0.0);
            sum += moments.times((-age / half_life_days).exp2());
            sum
        })
    }

    /// Returns the sums over the blocks that begin on `day` or later: what is new, to be compared with what was before.
    pub fn since(&self, day: Day) -> Moments {
        self.blocks.range(day..).fold(Moments::default(), |mut sum, (_, moments)| {
            sum += *moments;
            sum
        })
    }

    /// Returns the blocks, oldest first: the first day, the length in days, the sums.
    pub fn blocks(&self) -> impl Iterator<Item = (Day, i32, &Moments)> {
        let latest = self.latest().unwrap_or(Day(0));
        self.blocks.iter().map(move |(day, moments)| (*day, block(*day, latest).1, moments))
    }
}

/// Returns the first day and the length of the block that holds `day` while `latest` is the latest day.
///
/// Blocks are aligned to their length. As `latest` grows, blocks only ever join, so where a day ends up does not depend on the
/// steps in between.
fn block(day: Day, latest: Day) -> (Day, i32) {
    let (day, latest) = (i64::from(day.0), i64::from(latest.0));
    let first = |length: i64| day.div_euclid(length) * length;
    let mut length = 1;
    while first(2 * length) + 2 * length * (1 + AGE_IN_LENGTHS) <= latest {
        length *= 2;
    }
    let fits = "a block is not older than its day by more than its age";
    (Day(i32::try_from(first(length)).expect(fits)), i32::try_from(length).expect(fits))
}

impl From<Vec<[i64; 5]>> for History {
    fn from(rows: Vec<[i64; 5]>) -> Self {
        let mut history = Self::default();
        for [day, n, successes, reward, squares] in rows.into_iter().rev() {
            // Days that no calendar has are at its ends.
            let day = i32::try_from(day.clamp(-5_000_000, 5_000_000)).unwrap_or(0);
            history.record(Day(day), Moments::from([n, successes, reward, squares]));
        }
        history
    }
}

impl From<History> for Vec<[i64; 5]> {
    fn from(history: History) -> Self {
        history
            .blocks
            .into_iter()
            .map(|(day, moments)| {
                let [n, successes, reward, squares] = moments.into();
                [i64::from(day.0), n, successes, reward, squares]
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::learned::Reward;

    fn outcome() -> impl Strategy<Value = (Day, Moments)> {
        (-400_i32..4_000, any::<bool>(), 0.0..1.0).prop_map(|(day, success, reward)| {
            (Day(day), Moments::one(success, Reward::new(reward)))
        })
    }

    fn of(outcomes: &[(Day, Moments)]) -> History {
        let mut history = History::default();
        for (day, moments) in outcomes {
            history.record(*day, *moments);
        }
        history
    }

    proptest! {
        #[test]
        fn any_order_and_any_split_gives_the_same(
            (outcomes, shuffled) in vec(outcome(), 0..60).prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
            cut in 0_usize..60,
        ) {
            let whole = of(&outcomes);
            prop_assert_eq!(&whole, &of(&shuffled));
            let (left, right) = shuffled.split_at(cut.min(shuffled.len()));
            let mut merged = of(left);
            merged.merge(&of(right));
            prop_assert_eq!(&whole, &merged);
            let json = serde_json::to_string(&whole).unwrap();
            prop_assert_eq!(whole, serde_json::from_str::<History>(&json).unwrap());
        }

        #[test]
        fn weights_are_as_near_as_promised(outcomes in vec(outcome(), 1..60), half_life in 1.0_f64..1_000.0) {
            let history = of(&outcomes);
            let now = history.latest().unwrap();
            let exact: f64 = outcomes.iter().map(|(day, _)| {
                (-f64::from(now.0 - day.0) / half_life).exp2()
            }).sum();
            let worst = outcomes.iter().map(|(day, _)| f64::from(now.0 - day.0)).fold(0.0, f64::max);
            let factor = (worst / (4.0 * half_life)).exp2() * (1.0 + 1e-9);
            let got = history.decayed(now, half_life).n;
            prop_assert!(got <= exact * factor && got >= exact / factor, "{} for {}", got, exact);
            prop_assert_eq!(history.total().count(), outcomes.len() as u64);
        }

        #[test]
        fn blocks_are_few_and_none_is_longer_than_half_its_age(outcomes in vec(outcome(), 1..200)) {
            let history = of(&outcomes);
            let latest = i64::from(history.latest().unwrap().0);
            prop_assert!(history.blocks().count() <= 40);
            for (first, days, _) in history.blocks() {
                let age = latest - (i64::from(first.0) + i64::from(days) - 1);
                prop_assert!(days == 1 || i64::from(days) * 2 <= age + 1, "{} days, {} old", days, age);
            }
        }
    }

    #[test]
    fn an_infinite_half_life_gives_the_total() {
        let history =
            of(&[(Day(1), Moments::one(true, Reward::FULL)), (Day(900), Moments::default())]);
        assert_eq!(history.decayed(Day(900), f64::INFINITY), history.total().times(1.0));
        assert_eq!(history.since(Day(2)).count(), 0);
    }
}
