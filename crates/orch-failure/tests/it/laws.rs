//! What holds for every policy, draw and set of workers.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use orch_core::{
    Cause, Constraints, Failure, FailureContext, FailureDecision, FailureEvent, FailureHandler,
    OutcomeCounts, RetryPolicy, RoutingContext, Subtask, WorkerName,
};
use orch_failure::{RetryingFailureHandler, backoff};
use proptest::prelude::*;

use crate::worker::worker;

fn policies() -> impl Strategy<Value = RetryPolicy> {
    let ms = || prop_oneof![0..100_000_u64, any::<u64>(), Just(u64::MAX)];
    (0..5_u32, ms(), ms(), any::<bool>(), any::<bool>()).prop_map(
        |(retries, base, cap, exponential, fallback)| {
            RetryPolicy::default()
                .with_max_retries(retries)
                .with_retry_delay_ms(base)
                .with_max_delay_ms(cap)
                .with_exponential_backoff(exponential)
                .with_use_fallback_worker(fallback)
        },
    )
}

fn retries() -> impl Strategy<Value = NonZeroU32> {
    prop_oneof![1..100_u32, Just(u32::MAX)].prop_map(|n| NonZeroU32::new(n).expect("at least 1"))
}

proptest! {
    #[test]
    fn backoff_stays_within_the_cap_and_never_panics(
        policy in policies(), retry in retries(), draw in any::<f64>(),
    ) {
        prop_assert!(backoff(&policy, retry, draw) <= Duration::from_millis(policy.max_delay_ms));
    }

    #[test]
    fn the_longest_pause_never_shrinks_from_retry_to_retry(policy in policies(), retry in retries()) {
        let next = retry.saturating_add(1);
        prop_assert!(backoff(&policy, retry, 1.0) <= backoff(&policy, next, 1.0));
    }

    #[test]
    fn a_greater_draw_never_waits_less(
        policy in policies(), retry in retries(), a in 0.0..1.0, b in 0.0..1.0,
    ) {
        let (less, more) = if a < b { (a, b) } else { (b, a) };
        prop_assert!(backoff(&policy, retry, less) <= backoff(&policy, retry, more));
        prop_assert_eq!(backoff(&policy, retry, 0.0), Duration::ZERO);
    }

    #[test]
    fn every_decision_keeps_the_policy_and_the_constraints(
        policy in policies(),
        failures in 1..6_u32,
        cause in proptest::sample::select(Cause::ALL),
        fits in proptest::collection::vec(
            prop_oneof![0.0..=1.0, Just(f64::NAN), Just(-1.0), Just(0.0)], 0..6),
        tried in proptest::collection::vec(0..6_usize, 1..4),
        excluded in proptest::collection::vec(0..6_usize, 0..3),
        draw in 0.0..1.0,
    ) {
        let name = |i: usize| WorkerName::from(format!("w{i}"));
        let workers: Vec<_> = fits.iter().enumerate().map(|(i, fit)| worker(&format!("w{i}"), *fit)).collect();
        let tried: Vec<_> = tried.into_iter().map(name).collect();
        let excluded: Vec<_> = excluded.into_iter().map(name).collect();
        let constraints = Constraints::new().with_exclude_workers(excluded.clone());
        let (loads, outcome_counts) = (BTreeMap::new(), OutcomeCounts::default());
        let routing = RoutingContext::new(&workers, &loads, &outcome_counts).with_constraints(Some(&constraints));
        let context = FailureContext::new(&policy, routing, &tried, draw).with_failures(failures);
        let failed = tried.last().unwrap().clone();
        let event = FailureEvent::new(
            "s".into(), failed.clone(), &Failure::new(cause, "it failed"), jiff::Timestamp::UNIX_EPOCH);
        let subtask = Subtask::new("s", "do it", "work");
        let ask = || RetryingFailureHandler::new().handle_failure(&event, &subtask, &context);

        let decision = ask();
        prop_assert_eq!(&decision, &ask(), "the same question gets the same answer");
        let may_retry = cause.is_retryable() && failures <= policy.max_retries;
        prop_assert_eq!(matches!(decision, FailureDecision::Retry { .. }), may_retry);
        if let FailureDecision::Retry { after, worker, .. } = decision {
            prop_assert!(after <= Duration::from_millis(policy.max_delay_ms));
            let able = |i: usize| fits[i] > 0.0 && !tried.contains(&name(i)) && !excluded.contains(&name(i));
            let untried: Vec<_> = (0..fits.len()).filter(|i| able(*i)).map(name).collect();
            match worker {
                Some(worker) if policy.use_fallback_worker => prop_assert!(untried.contains(&worker)),
                Some(worker) => prop_assert_eq!(worker, failed),
                None => prop_assert!(policy.use_fallback_worker && untried.is_empty()),
            }
        }
    }
}
