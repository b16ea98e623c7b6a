//! What is drawn for a run: numbers that follow from its seed and from what they are for, and from nothing else.

use orch_core::SubtaskIndex;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Draws a number in `[0, 1)` for what follows failure number `failures` of a subtask.
///
/// The same question gets the same number: after an append that failed, and from another owner of the run.
pub(super) fn draw(seed: u64, subtask: SubtaskIndex, failures: u32) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(u64::from(subtask.0) << 32 | u64::from(failures));
    rng.random()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_draw_follows_from_seed_subtask_and_failure_and_from_nothing_else() {
        let all = || {
            let questions = (0..8).flat_map(|seed| (0..8).map(move |subtask| (seed, subtask)));
            let questions = questions.flat_map(|(s, subtask)| (1..4).map(move |f| (s, subtask, f)));
            questions.map(|(seed, subtask, failures)| draw(seed, SubtaskIndex(subtask), failures))
        };
        assert!(all().eq(all()), "the same questions get the same answers");
        assert!(all().all(|draw| (0.0..1.0).contains(&draw)));
        let distinct: BTreeSet<u64> = all().map(f64::to_bits).collect();
        assert_eq!(distinct.len(), 8 * 8 * 3, "each question has an answer of its own");
    }
}
