//! A memory that does not answer: `orch` ends in time all the same.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::support::{Project, children_of, no_child_is_left_of, sleeping, timed};

/// A worker that does not mind SIGTERM, so that suspending takes all of the grace time.
const CONFIG: &str = r#"
strategy: parallel
memory: { store: alma }
workers:
  stubborn:
    command: [sh, -c, "trap '' TERM; for i in 1 2 3 4 5 6 7 8 9; do sleep 5; done"]
    capabilities: [{ name: x, task_types: [sleep] }]
    grace: 60s
"#;
/// How long a process may take to end: 5 s of grace and 2 s.
const IN_TIME: Duration = Duration::from_secs(7);

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_suspended_in_time_while_the_memory_is_locked() {
    let alma = "alma: { project_id: shop, storage: sqlite }\n";
    let files =
        [("orch.yaml", CONFIG), ("task.yaml", &sleeping(1, 0.0)), (".alma/config.yaml", alma)];
    let project = Project::new(&files);
    let mut started = project.start(&["run", "task.yaml"]);
    let run = started.run();
    started.until("> s0");
    let options = SqliteConnectOptions::new().filename(project.path().join(".alma/alma.db"));
    let mut lock = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut lock).await.unwrap();
    while children_of(run).len() < 2 {
        tokio::task::yield_now().await;
    }
    started.signal(Signal::TERM);
    let (done, took) = timed(|| started.finish());
    done.exits(130).says("orch resume");
    assert!(took < IN_TIME, "{took:?}");
    no_child_is_left_of(run);
    let left = fs::read_dir(project.store().parent().unwrap()).unwrap();
    let names = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let of_store: Vec<String> = names.filter(|name| name.starts_with("orch.db")).collect();
    assert_eq!(of_store, ["orch.db"], "the journal is closed");
    drop(lock);
}
