//! How long to wait before a store that refuses is asked again.

use std::time::Duration;

/// The first pause.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The pauses between tries: each is twice as long as the one before, up to 30 s.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pauses {
    tries: u32,
}

impl Pauses {
    /// Counts a failed try, and returns how long to wait before the next one.
    pub(crate) fn next(&mut self) -> Duration {
        let pause =
            2_u32.checked_pow(self.tries).and_then(|factor| FIRST_PAUSE.checked_mul(factor));
        self.tries = self.tries.saturating_add(1);
        pause.unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE)
    }

    /// Counts a failed try, and returns the shortest pause: for a process that has no time to wait.
    pub(crate) fn shortest(&mut self) -> Duration {
        self.tries = self.tries.saturating_add(1);
        FIRST_PAUSE
    }

    /// A try has succeeded: the next failure begins with the first pause again.
    pub(crate) fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pause_is_twice_as_long_up_to_half_a_minute() {
        let mut pauses = Pauses::default();
        let first: Vec<u128> = (0..8).map(|_| pauses.next().as_millis()).collect();
        assert_eq!(first, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        assert!((0..100).all(|_| pauses.next() == LONGEST_PAUSE));
        assert_eq!(pauses.shortest(), FIRST_PAUSE);
        pauses.reset();
        assert_eq!(pauses.next(), FIRST_PAUSE);
    }
}
