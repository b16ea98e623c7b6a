//! The one file that reads the clock.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// More than so much between wall clock and monotonic clock is a jump.
const JUMP: Duration = Duration::from_secs(5);

/// Where a supervisor takes its time from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Clock {
    /// The wall clock of the machine, made monotone.
    #[default]
    System,
    /// Starts at the given time and goes with tokio's clock: together with `start_paused` tests, virtual time.
    Tokio(Timestamp),
}

/// A running clock.
#[derive(Debug)]
pub(crate) struct Ticker {
    clock: Clock,
    origin: Instant,
    start: Timestamp,
    /// Whether the wall clock has jumped since somebody asked.
    jumped: bool,
}

impl Ticker {
    /// Starts a clock.
    pub(crate) fn new(clock: Clock) -> Self {
        let start = match clock {
            Clock::System => wall(),
            Clock::Tokio(start) => start,
        };
        Self { clock, origin: monotonic(), start, jumped: false }
    }

    /// Reads the clock: the start plus the time that has passed since. A jump of the wall clock makes a new start.
    ///
    /// Times are whole microseconds, as journals store them: a replay sees the same times as the live state.
    pub(crate) fn read(&mut self) -> Timestamp {
        let passed = monotonic().duration_since(self.origin);
        let now = whole_micros(self.start.checked_add(passed).unwrap_or(Timestamp::MAX));
        if self.clock != Clock::System {
            return now;
        }
        let seen = wall();
        if seen.duration_since(now).unsigned_abs() < JUMP {
            return now;
        }
        (self.origin, self.start, self.jumped) = (monotonic(), seen, true);
        whole_micros(seen)
    }

    /// Tells, once, whether the wall clock has jumped.
    pub(crate) fn take_jumped(&mut self) -> bool {
        std::mem::take(&mut self.jumped)
    }

    /// Returns when tokio's clock will show `at`.
    pub(crate) fn instant_of(&self, at: Timestamp) -> Instant {
        let wait = at.duration_since(self.start);
        let wait = Duration::try_from(wait).unwrap_or(Duration::ZERO);
        // A timer far beyond any run's life is as good as none.
        self.origin + wait.min(Duration::from_secs(86_400 * 365))
    }
}

fn whole_micros(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

/// Returns tokio's clock; used for time limits and to measure how long attempts take.
#[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
fn wall() -> Timestamp {
    Timestamp::now()
}
