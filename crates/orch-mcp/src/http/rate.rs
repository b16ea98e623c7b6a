//! How many requests a second are served: a token bucket. It stands behind the check of tokens, so that who has none cannot
//! use it up for those who have.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;

use super::reply::later;
use crate::clock;

/// The bucket that all requests take from.
#[derive(Clone)]
pub(super) struct Rate(Arc<Mutex<Bucket>>);

/// Fills by `per_second` up to as many.
struct Bucket {
    per_second: f64,
    left: f64,
    filled: Instant,
}

impl Rate {
    pub(super) fn new(per_second: u32) -> Self {
        Self(Arc::new(Mutex::new(Bucket::full(per_second, clock::monotonic()))))
    }
}

/// Serves a request if one is left.
pub(super) async fn limit(State(rate): State<Rate>, request: Request, next: Next) -> Response {
    let taken = rate.0.lock().unwrap_or_else(PoisonError::into_inner).take(clock::monotonic());
    match taken {
        Ok(()) => next.run(request).await,
        Err(wait) => {
            let seconds = wait.as_secs().saturating_add(1);
            later(StatusCode::TOO_MANY_REQUESTS, seconds, "Too many requests: try again later.")
        }
    }
}

impl Bucket {
    fn full(per_second: u32, now: Instant) -> Self {
        let per_second = f64::from(per_second.max(1));
        Self { per_second, left: per_second, filled: now }
    }

    /// Takes one; else returns how long it takes until there is one.
    fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.left = (self.left + passed * self.per_second).min(self.per_second);
        self.filled = now;
        if self.left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - self.left) / self.per_second));
        }
        self.left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the gaps (ms), within any span at most a burst and what has flown in since is taken, and after the wait
        /// that a refusal names there is one.
        #[test]
        fn no_more_than_the_rate_and_one_burst(per_second in 1_u32..50, gaps in prop::collection::vec(0_u64..400, 1..200)) {
            let start = clock::monotonic();
            let mut bucket = Bucket::full(per_second, start);
            let (mut now, mut taken) = (start, 0_u32);
            for gap in gaps {
                now += Duration::from_millis(gap);
                match bucket.take(now) {
                    Ok(()) => taken += 1,
                    Err(wait) => {
                        now += wait + Duration::from_micros(1);
                        prop_assert!(bucket.take(now).is_ok());
                        taken += 1;
                    }
                }
                let most = f64::from(per_second) * (1.0 + (now - start).as_secs_f64());
                prop_assert!(f64::from(taken) <= most + 1e-6, "{taken} of {most}");
            }
        }
    }
}
