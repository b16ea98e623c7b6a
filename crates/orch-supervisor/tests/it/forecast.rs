//! What a run is expected to be, against what it then is.

use std::sync::Arc;

use jiff::Timestamp;
use orch_core::learned::{Day, Learned, Moments, Reward, WorkerStats};
use orch_core::{
    Constraints, DecompositionPlan, ExecutionStrategy, MemorySnapshot, RunSettings, Subtask,
    WorkerCapability, WorkerName,
};
use orch_supervisor::{Basis, Builder, Forecast, worker_fn};

use crate::support::{Diary, plan, run, sleeper, task, virtual_time};

fn settings(strategy: ExecutionStrategy) -> RunSettings {
    RunSettings::default().with_strategy(strategy)
}

fn foretell(builder: &Builder, plan: &DecompositionPlan, settings: &RunSettings) -> Forecast {
    foretell_with(builder, plan, settings, Learned::new())
}

fn foretell_with(
    builder: &Builder,
    plan: &DecompositionPlan,
    settings: &RunSettings,
    learned: Learned,
) -> Forecast {
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    builder.forecast(&task(), plan, settings, &MemorySnapshot::from(learned), now)
}

/// The plan with estimates that are exactly what its subtasks take.
fn estimated(text: &str) -> DecompositionPlan {
    let mut plan = plan(text);
    for subtask in &mut plan.subtasks {
        let subtask = Arc::make_mut(subtask);
        let seconds = subtask.context.get("seconds").and_then(serde_json::Value::as_u64);
        subtask.estimated_duration_ms = Some(seconds.unwrap_or(1) * 1_000);
    }
    plan
}

fn stats(durations: &[u64], cost: Option<u64>) -> WorkerStats {
    let mut stats = WorkerStats::default();
    for ms in durations {
        stats.history.record(Day(7), Moments::one(true, Reward::FULL));
        stats.duration_ms.record(*ms);
        cost.iter().for_each(|cost| stats.cost_micro_usd.record(*cost));
    }
    stats
}

/// A memory in which workers have done subtasks of type `work`.
fn learned<const N: usize>(of: [(&str, WorkerStats); N]) -> Learned {
    let mut learned = Learned::new();
    learned.today = Day(7);
    let of_type =
        of.into_iter().map(|(name, stats)| (WorkerName::new(name), stats.summary().unwrap()));
    learned.workers.insert("work".into(), of_type.collect());
    learned
}

#[tokio::test(start_paused = true)]
async fn with_true_estimates_a_forecast_is_what_happens() {
    for (text, slots) in [
        ("a 2s -> c 3s; b 5s -> c", 8),
        ("a 2s -> z; b 5s -> z; c 1s -> z; d 4s -> z; e 3s", 2),
        ("a; b; c; d; e; f; g 9s; h; i -> j", 3),
    ] {
        for strategy in [
            ExecutionStrategy::Parallel,
            ExecutionStrategy::Sequential,
            ExecutionStrategy::Adaptive,
        ] {
            let builder =
                || virtual_time().strategy(strategy).worker(sleeper(slots, &Diary::default()));
            let forecast = foretell(&builder(), &estimated(text), &settings(strategy));
            let result = run(&builder().build(), estimated(text)).await;
            assert_eq!(forecast.wall_ms, result.total_duration_ms, "{text} {strategy}");
            assert_eq!(forecast.guessed, 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn locks_and_the_cap_of_the_process_cost_the_time_that_they_cost_in_a_run() {
    let locked = |text| {
        let mut plan = estimated(text);
        for subtask in &mut plan.subtasks {
            Arc::make_mut(subtask).locks = vec!["tree".into()];
        }
        plan
    };
    let builder = || virtual_time().worker(sleeper(8, &Diary::default()));
    let all = settings(ExecutionStrategy::Parallel);
    for (builder, plan, wall_ms, at_once) in [
        (&builder as &dyn Fn() -> Builder, locked("a 2s; b 3s; c 4s"), 9_000, 1),
        (&|| builder().process_cap(2), estimated("a 2s; b 2s; c 2s"), 4_000, 2),
    ] {
        let forecast = foretell(&builder(), &plan, &all);
        assert_eq!((forecast.wall_ms, forecast.most_at_once), (wall_ms, at_once));
        let result = run(&builder().build(), plan).await;
        assert_eq!(result.total_duration_ms, wall_ms);
    }
}

#[test]
fn a_forecast_says_who_when_and_why_and_how_it_knows() {
    let worker = |name: &str, proficiency: f64| {
        let card = WorkerCapability::new("work", ["work"]).with_proficiency(proficiency);
        worker_fn(name, [card], |_| async { panic!("nothing is started") })
            .with_max_concurrency(1.try_into().unwrap())
    };
    let builder = virtual_time().worker(worker("ann", 1.0)).worker(worker("bob", 0.8));
    let settings = settings(ExecutionStrategy::Parallel);
    let plan = plan("a -> c; b -> c");

    let ignorant = foretell(&builder, &plan, &settings);
    assert_eq!((ignorant.wall_ms, ignorant.guessed, ignorant.unpriced), (2_000, 3, 3));
    assert_eq!(
        (ignorant.most_at_once, &*ignorant.levels, ignorant.parallelism),
        (2, &[2, 1][..], 1.5)
    );
    assert_eq!((ignorant.cost_micro_usd, &ignorant.ends_early), (None, &None));

    let known = learned([("ann", stats(&[200, 200, 200, 200, 1_000], Some(30)))]);
    let forecast = foretell_with(&builder, &plan, &settings, known);
    let [a, c, b] = &forecast.subtasks[..] else { panic!("{forecast:?}") };
    let (a, b, c) =
        (a.attempt.as_ref().unwrap(), b.attempt.as_ref().unwrap(), c.attempt.as_ref().unwrap());
    assert_eq!((&*a.worker.to_string(), &*b.worker.to_string()), ("ann", "bob"));
    assert_eq!((a.estimate.basis, b.estimate.basis), (Basis::Worker(5), Basis::TaskType(5)));
    assert_eq!((a.estimate.cost_micro_usd, b.estimate.cost_micro_usd), (Some(30), None));
    assert_eq!(a.record.as_ref().unwrap().attempts, 5);
    assert_eq!(b.record, None);
    assert_eq!((&*a.reasoning, a.confidence > b.confidence), ("it can do it best", true));
    // 200 falls into a bucket whose middle is 203, 1,000 into that of 1,007.
    assert_eq!((c.starts_at_ms, forecast.wall_ms), (203, 406));
    assert_eq!(forecast.slow_wall_ms, 2 * 1_007);
    assert_eq!((forecast.longest_path.len(), forecast.longest_path_ms), (2, 406));
    assert_eq!((forecast.cost_micro_usd, forecast.unpriced), (Some(60), 1));
}

#[test]
fn pull_workers_take_what_they_are_offered_as_far_as_they_have_slots() {
    let builder = virtual_time().worker(crate::pull::agent());
    let plan = estimated("a; b; c; d; e; f; g; h; i 2s -> j; k; l");
    let forecast = foretell(&builder, &plan, &settings(ExecutionStrategy::Parallel));
    // The longest path goes first: i and seven others, then j and what is left.
    assert_eq!((forecast.wall_ms, forecast.most_at_once), (3_000, 8));
    assert!(forecast.subtasks.iter().all(|subtask| subtask.attempt.is_some()));
}

#[test]
fn gates_budgets_and_missing_workers_are_seen_before_the_run() {
    let builder = virtual_time().worker(sleeper(8, &Diary::default()));
    let gate = orch_core::Gate::MinLength(100);
    let gated = DecompositionPlan::new([Subtask::new("a", "a", "work").with_gates(vec![gate])]);
    let all = settings(ExecutionStrategy::Parallel);
    assert_eq!(
        foretell(&builder, &gated, &all).subtasks[0].problem,
        None,
        "gates judge real results"
    );

    let dear = learned([("sleeper", stats(&[10, 10, 10], Some(400_000)))]);
    let limited = all
        .clone()
        .with_budget(orch_core::Budget::default().with_max_cost_micro_usd(1_000_000_u64));
    let capped = Constraints::new().with_max_cost_usd(0.5);
    let subtasks = ["a", "b", "c", "d"]
        .map(|id| Subtask::new(id, id, "work").with_constraints(capped.clone()));
    let forecast = foretell_with(&builder, &DecompositionPlan::new(subtasks), &limited, dear);
    assert!(forecast.ends_early.is_some(), "{forecast:?}");
    assert!(forecast.subtasks.iter().any(|subtask| subtask.attempt.is_none()));

    let replicas = Subtask::new("q", "q", "work").with_replicas(2_u32);
    let forecast = foretell(&builder, &DecompositionPlan::new([replicas]), &all);
    assert_eq!(forecast.subtasks.len(), 2);
    assert!(forecast.subtasks[1].problem.is_some(), "two of them need two workers: {forecast:?}");
}

#[test]
fn what_memory_says_counts_for_the_longest_path_and_for_the_budget() {
    let card = WorkerCapability::new("all", ["work", "other"]);
    let worker = worker_fn("all", [card], |_| async { panic!("nothing is started") });
    let builder = virtual_time().worker(worker);
    let subtask = |id: &str, task_type: &str, ms: u64| {
        Subtask::new(id, id, task_type).with_estimated_duration_ms(ms)
    };

    let two = DecompositionPlan::new([subtask("a", "work", 9_000), subtask("b", "other", 1_000)]);
    let all = settings(ExecutionStrategy::Parallel);
    let path = |learned| foretell_with(&builder, &two, &all, learned).longest_path;
    assert_eq!(path(Learned::new()), ["a"]);
    assert_eq!(path(learned([("all", stats(&[200], None))])), ["b"]);

    let four = DecompositionPlan::new(["a", "b", "c", "d"].map(|id| subtask(id, "work", 1)));
    let limited = settings(ExecutionStrategy::Sequential)
        .with_budget(orch_core::Budget::default().with_max_cost_micro_usd(1_000_000_u64));
    let started = |cost| {
        let known = learned([("all", stats(&[200], Some(cost)))]);
        let forecast = foretell_with(&builder, &four, &limited, known);
        let started = forecast.subtasks.iter().filter(|subtask| subtask.attempt.is_some()).count();
        (started, forecast.ends_early.is_some())
    };
    assert_eq!(started(200_000), (4, false));
    assert_eq!(started(400_000), (2, true), "the third might cost more than is left");
}
