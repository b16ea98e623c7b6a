//! How sure one can be of a share.

use statrs::function::beta::{beta_reg, ln_beta};

use super::Weighted;

/// How likely a true mean is above its bound.
const ONE_SIDED: f64 = 0.05;

/// Returns a lower bound of the true mean reward: the 5 % quantile of its posterior, 0 to 1; 0 without outcomes.
///
/// The posterior of a share after `n` outcomes with rewards that add up to `r` is `Beta(r + 1/2, n - r + 1/2)` (Jeffreys' prior;
/// Brown, Cai, DasGupta: Interval Estimation for a Binomial Proportion, Statistical Science 16, 2001). Graded rewards count
/// as parts of a success, which makes the bound lower than need be, never higher.
///
/// ```
/// use orch_core::learned::{Moments, Reward, lower_bound};
///
/// let one = Moments::one(true, Reward::FULL);
/// assert!(lower_bound(&one.times(1.0)) < 0.3, "one success says little");
/// assert!(lower_bound(&one.times(50.0)) > 0.95, "fifty say much");
/// ```
pub fn lower_bound(seen: &Weighted) -> f64 {
    if seen.n <= 0.0 {
        return 0.0;
    }
    let (wins, losses) = (seen.reward.max(0.0) + 0.5, (seen.n - seen.reward).max(0.0) + 0.5);
    quantile(wins, losses, ONE_SIDED)
}

/// The quantile of a Beta distribution, off by less than 1e-9: Newton's method, and bisection where that would leave the bracket.
fn quantile(a: f64, b: f64, p: f64) -> f64 {
    let ln_beta = ln_beta(a, b);
    let (mut low, mut high) = (0.0, 1.0);
    let mut x = a / (a + b);
    for _ in 0..64 {
        let off = beta_reg(a, b, x) - p;
        if off < 0.0 {
            low = x;
        } else {
            high = x;
        }
        let density = ((a - 1.0) * x.ln() + (b - 1.0) * (-x).ln_1p() - ln_beta).exp();
        let newton = x - off / density;
        let next = if low < newton && newton < high { newton } else { f64::midpoint(low, high) };
        if (next - x).abs() < 1e-10 {
            return next;
        }
        x = next;
    }
    x
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::learned::{Moments, Reward};

    fn bound(n: f64, mean: f64) -> f64 {
        lower_bound(&Moments::one(true, Reward::new(mean)).times(n))
    }

    #[test]
    fn bounds_are_those_of_the_tables() {
        // The density integrated numerically, by another program.
        for (n, mean, expected) in
            [(10.0, 1.0, 0.82923), (10.0, 0.5, 0.26192), (100.0, 0.9, 0.84223)]
        {
            assert!((bound(n, mean) - expected).abs() < 1e-5, "{n} {mean}: {}", bound(n, mean));
        }
        assert_eq!(lower_bound(&Weighted::default()), 0.0);
    }

    proptest! {
        #[test]
        fn so_much_of_the_posterior_is_below_the_bound(n in 0.01..10_000.0, mean in 0.0..=1.0) {
            let seen = Moments::one(true, Reward::new(mean)).times(n);
            let below = beta_reg(seen.reward + 0.5, seen.n - seen.reward + 0.5, lower_bound(&seen));
            prop_assert!((below - ONE_SIDED).abs() < 1e-4, "{}", below);
        }

        #[test]
        fn a_bound_is_below_the_mean_and_rises_with_evidence(n in 1.0..10_000.0, mean in 0.01..1.0) {
            let bound_now = bound(n, mean);
            prop_assert!((0.0..=1.0).contains(&bound_now));
            prop_assert!(bound_now <= mean.max(0.5 / n) + 1e-3);
            prop_assert!(bound(n * 2.0, mean) >= bound_now - 1e-9 || mean < 0.5);
        }
    }
}
