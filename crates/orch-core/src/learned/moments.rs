//! Sums over outcomes.

use std::ops::{AddAssign, Mul, Sub};

use serde::{Deserialize, Serialize};

/// How good an outcome was, from 0 (useless) to 1 (perfect), in steps of a thousandth so that sums are exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reward(u16);

impl Reward {
    /// The reward of a failure.
    pub const NONE: Self = Self(0);
    /// The reward of a success that nobody has graded.
    pub const FULL: Self = Self(1_000);

    /// Rounds `reward` to a thousandth; what is below 0 or no number counts as 0, what is above 1 as 1.
    pub fn new(reward: f64) -> Self {
        // The cast saturates, and takes NaN for 0.
        Self((reward * 1e3).round().clamp(0.0, 1e3) as u16)
    }

    /// Returns the reward, 0 to 1.
    pub fn get(self) -> f64 {
        f64::from(self.0) / 1e3
    }

    fn milli(self) -> i64 {
        i64::from(self.0)
    }
}

/// The most outcomes whose sums are exact.
const MOST: i64 = 9_000_000_000_000;

/// Sums over outcomes: how many there were, how many succeeded, and the sums of their rewards and of the squares.
///
/// Exact up to 9 * 10^12 outcomes; sums wrap beyond that. In JSON `[n, successes, sum of rewards in 1e-3, sum of squares in 1e-6]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[i64; 4]", into = "[i64; 4]")]
pub struct Moments {
    n: i64,
    successes: i64,
    reward: i64,
    squares: i64,
}

impl Moments {
    /// Returns the sums over one outcome.
    pub fn one(success: bool, reward: Reward) -> Self {
        let milli = reward.milli();
        Self { n: 1, successes: i64::from(success), reward: milli, squares: milli * milli }
    }

    /// Returns how many outcomes there were.
    pub fn count(&self) -> u64 {
        u64::try_from(self.n).unwrap_or(0)
    }

    /// Returns how many of them succeeded.
    pub fn successes(&self) -> u64 {
        u64::try_from(self.successes).unwrap_or(0)
    }

    /// Tells whether there can be outcomes with these sums; what is read from elsewhere may be anything.
    pub fn are_possible(&self) -> bool {
        let most = |of_one: i64| 0..=of_one * self.n;
        (0..=MOST).contains(&self.n)
            && most(1).contains(&self.successes)
            && most(1_000).contains(&self.reward)
            && most(1_000_000).contains(&self.squares)
    }

    /// Returns the sums, each outcome counted `weight` times.
    pub fn times(&self, weight: f64) -> Weighted {
        Weighted {
            n: weight * self.n as f64,
            successes: weight * self.successes as f64,
            reward: weight * self.reward as f64 / 1e3,
            squares: weight * self.squares as f64 / 1e6,
        }
    }
}

impl AddAssign for Moments {
    fn add_assign(&mut self, other: Self) {
        self.n = self.n.wrapping_add(other.n);
        self.successes = self.successes.wrapping_add(other.successes);
        self.reward = self.reward.wrapping_add(other.reward);
        self.squares = self.squares.wrapping_add(other.squares);
    }
}

impl Sub for Moments {
    type Output = Self;

    /// Returns what must be added to have `self` instead of `other`.
    fn sub(self, other: Self) -> Self {
        Self {
            n: self.n.wrapping_sub(other.n),
            successes: self.successes.wrapping_sub(other.successes),
            reward: self.reward.wrapping_sub(other.reward),
            squares: self.squares.wrapping_sub(other.squares),
        }
    }
}

impl Mul<u32> for Moments {
    type Output = Self;

    /// Returns the sums over as many times the outcomes.
    fn mul(self, times: u32) -> Self {
        let times = i64::from(times);
        Self {
            n: self.n.wrapping_mul(times),
            successes: self.successes.wrapping_mul(times),
            reward: self.reward.wrapping_mul(times),
            squares: self.squares.wrapping_mul(times),
        }
    }
}

impl From<[i64; 4]> for Moments {
    fn from([n, successes, reward, squares]: [i64; 4]) -> Self {
        Self { n, successes, reward, squares }
    }
}

impl From<Moments> for [i64; 4] {
    fn from(moments: Moments) -> Self {
        [moments.n, moments.successes, moments.reward, moments.squares]
    }
}

/// Sums over outcomes of different weight, computed from [`Moments`] when they are read.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Weighted {
    /// The sum of the weights.
    pub n: f64,
    /// The weight of those that succeeded.
    pub successes: f64,
    /// The sum of the rewards.
    pub reward: f64,
    /// The sum of the squared rewards.
    pub squares: f64,
}

impl Weighted {
    /// Returns the share that succeeded; `None` without outcomes.
    pub fn success_rate(&self) -> Option<f64> {
        (self.n > 0.0).then(|| self.successes / self.n)
    }

    /// Returns the mean reward; `None` without outcomes.
    pub fn mean_reward(&self) -> Option<f64> {
        (self.n > 0.0).then(|| self.reward / self.n)
    }
}

impl Mul<f64> for Weighted {
    type Output = Self;

    /// Returns the sums over the same outcomes, each with `factor` times its weight.
    fn mul(self, factor: f64) -> Self {
        Self {
            n: self.n * factor,
            successes: self.successes * factor,
            reward: self.reward * factor,
            squares: self.squares * factor,
        }
    }
}

impl AddAssign for Weighted {
    fn add_assign(&mut self, other: Self) {
        self.n += other.n;
        self.successes += other.successes;
        self.reward += other.reward;
        self.squares += other.squares;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewards_are_rounded_and_clipped() {
        for (given, expected) in
            [(0.5, 0.5), (0.1234, 0.123), (-1.0, 0.0), (7.0, 1.0), (f64::NAN, 0.0)]
        {
            assert_eq!(Reward::new(given).get(), expected, "{given}");
        }
    }

    #[test]
    fn sums_that_no_outcomes_have_are_told() {
        for (sums, possible) in [
            ([0, 0, 0, 0], true),
            ([2, 1, 2_000, 2_000_000], true),
            ([MOST, 0, 0, 0], true),
            ([MOST + 1, 0, 0, 0], false),
            ([-1, -1, 0, 0], false),
            ([1, 2, 0, 0], false),
            ([1, 1, -1, 0], false),
            ([1, 1, 1_001, 0], false),
            ([1, 1, 1, 1_000_001], false),
        ] {
            assert_eq!(Moments::from(sums).are_possible(), possible, "{sums:?}");
        }
    }

    #[test]
    fn grading_again_is_as_if_it_had_been_graded_so_at_once() {
        let (first, second) =
            (Moments::one(true, Reward::FULL), Moments::one(true, Reward::new(0.3)));
        let mut sums = first * 2;
        sums += (second - first) * 2;
        assert_eq!(sums, second * 2);
        let sums = second;
        assert_eq!(serde_json::to_string(&sums).unwrap(), "[1,1,300,90000]");
    }

    #[test]
    fn shares_need_outcomes() {
        let mut sums = Moments::default();
        assert_eq!(sums.times(1.0).success_rate(), None);
        sums += Moments::one(true, Reward::new(0.5));
        sums += Moments::one(false, Reward::NONE);
        let weighted = sums.times(0.5);
        assert_eq!((weighted.success_rate(), weighted.mean_reward()), (Some(0.5), Some(0.25)));
        assert_eq!((sums.count(), sums.successes(), weighted.n), (2, 1, 1.0));
    }
}
