//! What runs when: in virtual time, to the second.

use std::time::Duration;

use orch_core::{DecompositionPlan, EndStatus, ExecutionStrategy, Subtask};
use orch_supervisor::SubmitOptions;

use crate::support::{Diary, plan, run, settings, sleeper, submit, task, virtual_time};

#[tokio::test(start_paused = true)]
async fn a_slow_sibling_blocks_no_unrelated_branch() {
    let diary = Diary::default();
    let supervisor = virtual_time().worker(sleeper(8, &diary)).build();
    let mut events = supervisor.subscribe();
    let run = submit(&supervisor, plan("slow 10s; a 1s -> b 1s -> c 1s -> d 1s -> e 1s")).await;
    let mut times = Vec::new();
    while times.len() < 7 {
        let lifecycle = events.recv().await.unwrap();
        let told = lifecycle
            .events
            .iter()
            .filter(|r| ["run_submitted", "subtask_completed"].contains(&r.event.name()));
        times.extend(told.map(|r| r.at));
    }
    let seconds: Vec<i64> = times.iter().map(|at| at.duration_since(times[0]).as_secs()).collect();
    assert_eq!(
        seconds,
        [0, 1, 2, 3, 4, 5, 10],
        "five steps of one second end after five, whatever the slow one does"
    );
    let result = supervisor.wait(run).await.unwrap();
    assert_eq!(result.total_duration_ms / 100, 100, "and the slow one after ten");
}

#[tokio::test(start_paused = true)]
async fn sequential_never_overlaps() {
    let diary = Diary::default();
    let supervisor =
        virtual_time().strategy(ExecutionStrategy::Sequential).worker(sleeper(8, &diary)).build();
    let result = run(&supervisor, plan("a; b; c -> d")).await;
    assert_eq!(result.total_duration_ms / 1_000, 4);
    for pair in diary.lines().chunks(2) {
        assert_eq!(
            pair[0][1..],
            pair[1][1..],
            "each ends before the next begins: {:?}",
            diary.lines()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn adaptive_doubles_its_concurrency_limit_while_all_goes_well() {
    let diary = Diary::default();
    let supervisor =
        virtual_time().strategy(ExecutionStrategy::Adaptive).worker(sleeper(64, &diary)).build();
    let ids: Vec<Subtask> = (0..15).map(|i| Subtask::new(format!("s{i}"), "s", "work")).collect();
    let result = run(&supervisor, DecompositionPlan::new(ids)).await;
    assert_eq!(result.total_duration_ms / 1_000, 4, "1 + 2 + 4 + 8 = 15 subtasks in four seconds");
}

#[tokio::test(start_paused = true)]
async fn a_workers_slots_and_the_runs_cap_are_kept() {
    let diary = Diary::default();
    let supervisor = virtual_time().worker(sleeper(2, &diary)).build();
    assert_eq!(
        run(&supervisor, plan("a; b; c; d; e; f")).await.total_duration_ms / 1_000,
        3,
        "two slots"
    );
    let supervisor = virtual_time()
        .settings(settings().with_max_parallel(3_u32))
        .worker(sleeper(8, &diary))
        .build();
    assert_eq!(
        run(&supervisor, plan("a; b; c; d; e; f")).await.total_duration_ms / 1_000,
        2,
        "three in flight"
    );
    let supervisor = virtual_time().process_cap(1).worker(sleeper(8, &diary)).build();
    assert_eq!(
        run(&supervisor, plan("a; b; c")).await.total_duration_ms / 1_000,
        3,
        "one per process"
    );
}

#[tokio::test(start_paused = true)]
async fn longest_remaining_path_and_priority_go_first() {
    let diary = Diary::default();
    let supervisor = virtual_time().worker(sleeper(1, &diary)).build();
    let mut short = plan("short; long -> end");
    run(&supervisor, short.clone()).await;
    assert_eq!(diary.lines()[0], "+long");
    let urgent = Subtask::new("urgent", "u", "work").with_priority(99);
    short.subtasks.push(urgent.into());
    let diary = Diary::default();
    let supervisor = virtual_time().worker(sleeper(1, &diary)).build();
    run(&supervisor, short).await;
    assert_eq!(diary.lines()[0], "+urgent");
}

#[tokio::test(start_paused = true)]
async fn runs_share_a_worker_fairly() {
    let diary = Diary::default();
    let supervisor = virtual_time().worker(sleeper(2, &diary)).build();
    let many: Vec<Subtask> = (0..20).map(|i| Subtask::new(format!("m{i}"), "m", "work")).collect();
    let large = submit(&supervisor, DecompositionPlan::new(many)).await;
    let small = submit(&supervisor, plan("x; y")).await;
    let small = supervisor.wait(small).await.unwrap();
    assert!(
        small.total_duration_ms <= 3_000,
        "the small run does not wait for the large one: {}",
        small.total_duration_ms
    );
    assert!(supervisor.wait(large).await.unwrap().success);
}

#[tokio::test(start_paused = true)]
async fn locks_keep_subtasks_apart_also_across_runs() {
    let diary = Diary::default();
    let supervisor = virtual_time().worker(sleeper(8, &diary)).build();
    let locked = || {
        let ids = ["a", "b"].map(|id| Subtask::new(id, id, "work").with_locks(["file"]));
        DecompositionPlan::new(ids)
    };
    let (one, two) = (submit(&supervisor, locked()).await, submit(&supervisor, locked()).await);
    let one = supervisor.wait(one).await.unwrap();
    let two = supervisor.wait(two).await.unwrap();
    assert!(one.success && two.success);
    assert!(one.total_duration_ms.max(two.total_duration_ms) >= 4_000);
    let mut running = 0_i32;
    for line in diary.lines() {
        running += if line.starts_with('+') { 1 } else { -1 };
        assert!(running <= 1, "one at a time: {:?}", diary.lines());
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_takes_too_long_is_stopped_and_fails() {
    let diary = Diary::default();
    let supervisor = virtual_time().worker(sleeper(8, &diary)).build();
    let subtask = {
        let mut plan = plan("slow 100s");
        let mut slow = (*plan.subtasks.remove(0)).clone();
        slow.timeout_ms = Some(3_000);
        slow
    };
    let result = run(&supervisor, DecompositionPlan::new([subtask])).await;
    assert_eq!(result.status, EndStatus::Failed);
    assert!(result.errors[0].contains("took too long"), "{:?}", result.errors);
    // Three seconds, then the grace time (the closure does not listen), then one more until its future is dropped.
    assert_eq!(result.total_duration_ms / 1_000, 9);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_the_run_with_what_it_has() {
    let diary = Diary::default();
    let supervisor = virtual_time().worker(sleeper(8, &diary)).build();
    let deadline = "2026-01-01T00:00:05Z".parse::<jiff::Timestamp>().unwrap();
    let options = SubmitOptions::new().plan(plan("quick 1s; slow 100s"));
    let run = supervisor.submit_with(task().with_deadline(deadline), options).await.unwrap();
    let result = supervisor.wait(run).await.unwrap();
    assert_eq!(result.status, EndStatus::Partial);
    assert_eq!(result.aggregated_output, serde_json::json!(["quick"]));
    assert!(result.errors.iter().any(|e| e.contains("deadline")), "{:?}", result.errors);
}

#[tokio::test(start_paused = true)]
async fn utilization_is_busy_time_over_wall_time_and_slots() {
    let diary = Diary::default();
    let supervisor = virtual_time().worker(sleeper(2, &diary)).build();
    let result = run(&supervisor, plan("a 4s; b 2s")).await;
    let share = result.worker_utilization["sleeper"];
    assert!((share - 6.0 / 8.0).abs() < 0.01, "{share}");
    assert!(Duration::from_millis(result.total_duration_ms) < Duration::from_millis(4_100));
}
