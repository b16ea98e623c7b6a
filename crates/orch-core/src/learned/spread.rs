//! How a quantity is spread: counts in logarithmic buckets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Each power of two is cut into so many buckets of equal width.
const PER_OCTAVE: u64 = 16;
const PER_OCTAVE_BITS: u32 = PER_OCTAVE.trailing_zeros();

/// How a non-negative quantity is spread: durations in milliseconds, costs in millionths of a US dollar, tokens.
///
/// Counts in buckets whose width grows with the value, as in an HDR histogram: values below 32 are exact, every other answer
/// is off by at most 1/32 of the value. Buckets are found by integer arithmetic, the same on every machine.
///
/// ```
/// let mut spread = orch_core::learned::Spread::default();
/// (1..=1_000).for_each(|ms| spread.record(ms));
/// let p90 = spread.quantile(0.9).unwrap();
/// assert!((p90 as f64 - 900.0).abs() <= 900.0 / 32.0);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "SpreadJson", into = "SpreadJson")]
pub struct Spread {
    sum: u64,
    buckets: BTreeMap<u16, u64>,
}

/// The JSON form: pairs of bucket and count.
#[derive(Serialize, Deserialize)]
struct SpreadJson {
    sum: u64,
    buckets: Vec<(u16, u64)>,
}

impl Spread {
    /// Counts one value.
    pub fn record(&mut self, value: u64) {
        self.add(bucket(value), 1);
        self.sum = self.sum.wrapping_add(value);
    }

    /// Adds everything that `other` has.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.buckets {
            self.add(*bucket, *count);
        }
        self.sum = self.sum.wrapping_add(other.sum);
    }

    fn add(&mut self, bucket: u16, count: u64) {
        let sum = self.buckets.entry(bucket).or_default();
        *sum = sum.wrapping_add(count);
    }

    /// Returns how many values there were.
    pub fn count(&self) -> u64 {
        self.buckets.values().fold(0, |sum, count| sum.wrapping_add(*count))
    }

    /// Returns the sum of the values.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// Returns the mean, exact; `None` without values.
    pub fn mean(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum as f64 / count as f64)
    }

    /// Returns the `q`-quantile (nearest rank), `q` from 0 to 1, off by at most 1/32 of itself; `None` without values.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let count = self.count();
        // The cast saturates, and takes NaN for 0.
        let rank = ((q * count as f64).ceil() as u64).clamp(1, count.max(1));
        let mut below = 0_u64;
        self.buckets.iter().find_map(|(bucket, count)| {
            below = below.saturating_add(*count);
            (below >= rank).then(|| middle(*bucket))
        })
    }
}

impl From<SpreadJson> for Spread {
    fn from(json: SpreadJson) -> Self {
        let mut spread = Self { sum: json.sum, buckets: BTreeMap::new() };
        for (bucket, count) in json.buckets {
            spread.add(bucket, count);
        }
        spread
    }
}

impl From<Spread> for SpreadJson {
    fn from(spread: Spread) -> Self {
        Self { sum: spread.sum, buckets: spread.buckets.into_iter().collect() }
    }
}

/// Values below `PER_OCTAVE` have a bucket each; then come `PER_OCTAVE` per power of two.
fn bucket(value: u64) -> u16 {
    let shift = (value | 1).ilog2().saturating_sub(PER_OCTAVE_BITS);
    let bucket = u64::from(shift) * PER_OCTAVE + (value >> shift);
    u16::try_from(bucket).expect("there are fewer than 1,000 buckets")
}

/// Returns the middle of a bucket, rounded down.
fn middle(bucket: u16) -> u64 {
    let bucket = u64::from(bucket);
    let shift = (bucket / PER_OCTAVE).saturating_sub(1).min(59);
    let low = (bucket - shift * PER_OCTAVE) << shift;
    low + ((1 << shift) - 1) / 2
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[u64]) -> Spread {
        let mut spread = Spread::default();
        values.iter().for_each(|value| spread.record(*value));
        spread
    }

    fn value() -> impl Strategy<Value = u64> {
        (any::<u64>(), 0_u32..64).prop_map(|(value, shift)| value >> shift)
    }

    proptest! {
        #[test]
        fn quantiles_are_as_near_as_promised(mut values in vec(value(), 1..200), q in 0.0..1.0) {
            let got = of(&values).quantile(q).unwrap();
            values.sort_unstable();
            let rank = ((q * values.len() as f64).ceil() as usize).max(1);
            let exact = values[rank - 1];
            prop_assert!(got.abs_diff(exact) <= exact / 32, "{} for {}", got, exact);
        }

        #[test]
        fn any_order_and_any_split_gives_the_same(
            (values, shuffled) in vec(value(), 0..60).prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
            cut in 0_usize..60,
        ) {
            let whole = of(&values);
            let (left, right) = shuffled.split_at(cut.min(shuffled.len()));
            let mut merged = of(left);
            merged.merge(&of(right));
            prop_assert_eq!(&whole, &merged);
            let json = serde_json::to_string(&whole).unwrap();
            prop_assert_eq!(whole, serde_json::from_str::<Spread>(&json).unwrap());
        }
    }

    #[test]
    fn small_values_are_exact_and_the_greatest_has_a_bucket() {
        for value in 0..32 {
            assert_eq!(of(&[value]).quantile(0.5), Some(value));
        }
        assert!(of(&[u64::MAX]).quantile(1.0).unwrap() > u64::MAX - u64::MAX / 32);
        assert_eq!(Spread::default().quantile(0.5), None);
        assert_eq!(of(&[1, 2, 6]).mean(), Some(3.0));
        // Whatever an import says, reading it does not fail.
        let odd: Spread = serde_json::from_str(r#"{"sum":1,"buckets":[[65535,1]]}"#).unwrap();
        assert!(odd.quantile(0.5).is_some());
    }
}
