use orch_core::{ComplexTask, DecompositionPlan, Subtask, WorkerCapability};
use orch_supervisor::{SubmitOptions, Supervisor, worker_fn};

#[tokio::test]
async fn smoke() {
    let supervisor = Supervisor::builder()
        .worker(worker_fn("reader", [WorkerCapability::new("read", ["read"])], |_| async {
            Ok(3.into())
        }))
        .worker(worker_fn("adder", [WorkerCapability::new("add", ["add"])], |ctx| async move {
            Ok(ctx.sibling_results.iter().filter_map(|r| r.output.as_i64()).sum::<i64>().into())
        }))
        .build();
    let plan = DecompositionPlan::new([
        Subtask::new("a", "Read a", "read"),
        Subtask::new("b", "Read b", "read"),
        Subtask::new("sum", "Add them", "add").with_dependencies(["a", "b"]),
    ]);
    let task = ComplexTask::new("t", "Add two numbers", "sum");
    let run = supervisor.submit_with(task, SubmitOptions::new().plan(plan)).await.unwrap();
    eprintln!("submitted {run}");
    for _ in 0..5 {
        let r =
            tokio::time::timeout(std::time::Duration::from_millis(300), supervisor.wait(run)).await;
        eprintln!("{r:?}");
        if r.is_ok() {
            return;
        }
        eprintln!(
            "{:#?}",
            tokio::time::timeout(std::time::Duration::from_millis(300), supervisor.status(run))
                .await
        );
    }
    panic!();
}
