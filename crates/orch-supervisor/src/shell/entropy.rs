//! The one file that draws random numbers: the seed of a driver, the ids of runs and owners.

use rand::RngExt;

/// Draws the seed of a driver.
pub(crate) fn seed() -> u64 {
    rand::rng().random()
}

/// Draws what sets a run's or an owner's id apart from others of the same millisecond.
pub(crate) fn run_entropy() -> u128 {
    rand::rng().random()
}
