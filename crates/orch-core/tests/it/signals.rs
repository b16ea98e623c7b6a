//! The stop signal: once given it stays, and nobody who waits misses it.

use orch_core::StopSignal;

#[tokio::test]
async fn a_given_signal_stays_given() {
    let signal = StopSignal::new();
    assert!(!signal.is_stopped());
    signal.stop();
    signal.stop();
    assert!(signal.is_stopped());
    signal.stopped().await;
    signal.clone().stopped().await;
    assert_eq!(format!("{signal:?}"), "StopSignal(true)");
}

#[tokio::test]
async fn all_clones_hear_it() {
    let signal = StopSignal::new();
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let signal = signal.clone();
            tokio::spawn(async move { signal.stopped().await })
        })
        .collect();
    tokio::task::yield_now().await;
    assert!(waiting.iter().all(|task| !task.is_finished()));
    signal.stop();
    for task in waiting {
        task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_between_look_and_wait_is_not_lost() {
    for _ in 0..500 {
        let signal = StopSignal::new();
        let waiter = tokio::spawn({
            let signal = signal.clone();
            async move { signal.stopped().await }
        });
        let giver = tokio::spawn(async move { signal.stop() });
        orch_core::testing::within_a_minute("stopped", waiter).await.unwrap();
        giver.await.unwrap();
    }
}
