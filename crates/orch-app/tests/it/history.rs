//! What happened to a subtask.

use orch_app::{Access, TaskFile, Workers, history, open_store, supervisor};
use orch_core::{AttemptEnd, Cause, Seq};

use crate::{folder, load};

const CONFIG: &str = r#"
retry: { retry_delay: 1ms }
workers:
  first: { command: [sh, -c, "exit 69"], capabilities: [{ name: x, task_types: [t], proficiency: 1.0 }] }
  second: { command: [sh, -c, "yes abcdefgh | head -c 40000"], capabilities: [{ name: x, task_types: [t], proficiency: 0.5 }] }
"#;
const TASK: &str = "description: x\nsubtasks: [{ id: a, task_type: t, description: a }, { id: b, task_type: t, description: b, dependencies: [a] }]\n";

#[tokio::test]
async fn every_attempt_is_there_with_its_reason_and_end() {
    let folder = folder(&[("orch.yaml", CONFIG), ("task.yaml", TASK)]);
    let config = load(folder.path()).unwrap();
    let store = open_store(&config, Access::Create).await.unwrap();
    let supervisor =
        supervisor(&config, &Workers::new(&config).unwrap(), store.clone(), None, "test");
    let task = TaskFile::load(&folder.path().join("task.yaml"), &[]).unwrap();
    let run =
        supervisor.submit_with(task.task.clone(), task.options(config.settings())).await.unwrap();
    supervisor.wait(run).await.unwrap();

    let events = store.load(run, Seq(0)).await.unwrap();
    let found = history(&*store, &events, "a").await.unwrap().unwrap();
    assert_eq!(found.subtask.id, "a");
    let [failed, done] = &found.attempts[..] else { panic!("{:?}", found.attempts) };
    assert!(
        matches!(&failed.end, Some(AttemptEnd::Failed(failure)) if failure.cause == Cause::Unavailable)
    );
    assert_eq!((failed.worker.as_str(), done.worker.as_str()), ("first", "second"));
    assert_eq!(done.end, Some(AttemptEnd::Accepted));
    assert!(done.until.unwrap() >= done.since);
    assert!(failed.route.as_ref().unwrap().reason.contains("best fit"));
    let output = found.result.unwrap().output;
    assert!(output.as_str().unwrap().len() > 39_000, "a large output is there as a whole");
    assert!(history(&*store, &events, "c").await.unwrap().is_none());

    // As it stood before anything had ended.
    let early: Vec<_> =
        events.iter().take_while(|r| r.event.name() != "attempt_failed").cloned().collect();
    let found = history(&*store, &early, "a").await.unwrap().unwrap();
    assert_eq!((found.attempts.len(), &found.attempts[0].end, found.result), (1, &None, None));
}
