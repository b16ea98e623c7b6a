use std::sync::Arc;

use orch_core::{
    AggregateError, AggregationInput, AggregationResult, Aggregator, ComplexTask,
    DecompositionPlan, EndStatus, ExecutionStrategy, JsonMap, Subtask, WorkerCapability,
};
use orch_supervisor::{SubmitOptions, Supervisor, worker_fn};
use serde_json::json;

use crate::support::{plan, run, submit, task, virtual_time};

fn echo() -> impl orch_core::Worker {
    worker_fn("echo", [WorkerCapability::new("work", ["work", "test"])], |ctx| async move {
        let inputs: Vec<_> = ctx.sibling_results.iter().map(|r| r.output.clone()).collect();
        Ok(json!({ "id": ctx.subtask.id, "inputs": inputs.len(), "parent": *ctx.parent_context }))
    })
}

#[tokio::test]
async fn a_task_without_a_plan_is_one_subtask() {
    let supervisor = Supervisor::builder().worker(echo()).build();
    let context: JsonMap = [("extra".to_owned(), json!(1))].into_iter().collect();
    let result = supervisor.execute(task(), context).await.unwrap();
    assert_eq!(result.status, EndStatus::Completed);
    assert!(result.success);
    assert_eq!(
        result.aggregated_output,
        json!([{ "id": "task", "inputs": 0, "parent": { "extra": 1 } }])
    );
    assert_eq!(result.subtask_results[0].worker_name, "echo");
}

#[tokio::test]
async fn results_go_to_dependants_in_plan_order() {
    let supervisor = Supervisor::builder()
        .worker(worker_fn("w", [WorkerCapability::new("work", ["work"])], |ctx| async move {
            let inputs: Vec<_> =
                ctx.sibling_results.iter().map(|r| r.subtask_id.to_string()).collect();
            Ok(inputs.join(",").into())
        }))
        .build();
    let result = run(&supervisor, plan("a -> d; b -> d; c -> d; b -> c")).await;
    let of = |id: &str| {
        result.subtask_results.iter().find(|r| r.subtask_id == id).unwrap().output.clone()
    };
    assert_eq!(of("c"), "b");
    assert_eq!(of("d"), "a,b,c");
}

#[tokio::test]
async fn large_outputs_arrive_whole() {
    let long = "x".repeat(100_000);
    let copy = long.clone();
    let supervisor = Supervisor::builder()
        .worker(worker_fn("w", [WorkerCapability::new("work", ["work"])], move |ctx| {
            let long = copy.clone();
            async move {
                Ok(ctx.sibling_results.first().map_or(json!(long), |input| input.output.clone()))
            }
        }))
        .build();
    let result = run(&supervisor, plan("a -> b")).await;
    assert_eq!(result.subtask_results[1].output, json!(long), "b got a's output and passed it on");
    assert_eq!(result.aggregated_output, json!([long, long]));
}

#[tokio::test]
async fn an_invalid_plan_ends_the_run_with_all_issues() {
    let supervisor = Supervisor::builder().worker(echo()).build();
    let result = run(&supervisor, plan("a -> b -> a; c -> nobody")).await;
    assert_eq!(result.status, EndStatus::Failed);
    assert!(result.errors.iter().any(|e| e.contains("wait for each other")), "{:?}", result.errors);
    let unservable = DecompositionPlan::new([Subtask::new("x", "x", "painting")]);
    let result = run(&supervisor, unservable).await;
    assert!(result.errors.iter().any(|e| e.contains("painting")), "{:?}", result.errors);
}

#[tokio::test]
async fn replicas_go_to_distinct_workers() {
    let named = |name: &'static str| {
        worker_fn(name, [WorkerCapability::new("work", ["work"])], move |_| async move {
            Ok(name.into())
        })
    };
    let supervisor =
        Supervisor::builder().worker(named("a")).worker(named("b")).worker(named("c")).build();
    let subtask = Subtask::new("q", "q", "work").with_replicas(3_u32);
    let result = run(&supervisor, DecompositionPlan::new([subtask])).await;
    let mut workers: Vec<_> =
        result.subtask_results.iter().map(|r| r.worker_name.to_string()).collect();
    workers.sort();
    assert_eq!(workers, ["a", "b", "c"]);
}

#[tokio::test]
async fn the_same_request_gets_the_same_run() {
    let supervisor = Supervisor::builder().worker(echo()).build();
    let options = || SubmitOptions::new().plan(plan("a")).request_key("k");
    let first = supervisor.submit_with(task(), options()).await.unwrap();
    let second = supervisor.submit_with(task(), options()).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(supervisor.runs(&Default::default()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_panicking_aggregator_fails_the_run_and_keeps_the_results() {
    struct Panics;
    impl Aggregator for Panics {
        fn aggregate(&self, _: &AggregationInput<'_>) -> Result<AggregationResult, AggregateError> {
            panic!("no")
        }
    }
    let supervisor = Supervisor::builder().worker(echo()).aggregator(Panics).build();
    let result = run(&supervisor, plan("a")).await;
    assert_eq!(result.status, EndStatus::Failed);
    assert_eq!(result.errors, ["the aggregator panicked: no"]);
    assert!(result.subtask_results[0].success);
}

#[tokio::test(start_paused = true)]
async fn workers_may_join_and_leave_while_runs_go_on() {
    let supervisor = virtual_time().worker(echo()).build();
    let waits = worker_fn("waits", [WorkerCapability::new("slow", ["slow"])], |_| async {
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        Ok(1.into())
    });
    supervisor.register_worker(waits.with_max_concurrency(1.try_into().unwrap())).unwrap();
    let subtasks = ["a", "b"].map(|id| Subtask::new(id, id, "slow"));
    let run = submit(&supervisor, DecompositionPlan::new(subtasks)).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    supervisor
        .register_worker(worker_fn("joins", [WorkerCapability::new("slow", ["slow"])], |_| async {
            Ok(2.into())
        }))
        .unwrap();
    supervisor.unregister_worker("waits");
    let result = supervisor.wait(run).await.unwrap();
    assert_eq!(
        result.aggregated_output,
        json!([1, 2]),
        "the running attempt goes on, the waiting subtask goes to the new one"
    );
    assert_eq!(result.total_duration_ms, 5_000);
}

#[tokio::test]
async fn subscribers_see_the_journal_in_order() {
    let supervisor =
        Supervisor::builder().strategy(ExecutionStrategy::Parallel).worker(echo()).build();
    let (mut events, mut followed) = (supervisor.subscribe(), supervisor.follow());
    let result = supervisor.execute(task(), None).await.unwrap();
    assert!(result.success);
    let mut seen = Vec::new();
    while let Ok(lifecycle) = events.try_recv() {
        assert_eq!(followed.try_recv().unwrap().events, lifecycle.events);
        seen.extend(lifecycle.events.iter().map(|r| (r.seq.0, r.event.name())));
    }
    let (seqs, names): (Vec<u64>, Vec<&str>) = seen.into_iter().unzip();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    assert_eq!(
        names,
        [
            "run_submitted",
            "plan_adopted",
            "attempt_started",
            "result_received",
            "subtask_completed",
            "run_ended"
        ]
    );
}

#[tokio::test]
async fn clones_of_a_handle_share_the_engine() {
    let supervisor = Supervisor::builder().worker(echo()).build();
    let runs = (0..20).map(|_| {
        let supervisor = supervisor.clone();
        tokio::spawn(async move {
            supervisor.execute(ComplexTask::new("t", "x", "work"), None).await.unwrap()
        })
    });
    for run in runs.collect::<Vec<_>>() {
        assert!(run.await.unwrap().success);
    }
    let shared: Arc<Supervisor> = Arc::new(supervisor);
    assert_eq!(shared.runs(&Default::default()).await.unwrap().len(), 20);
}
