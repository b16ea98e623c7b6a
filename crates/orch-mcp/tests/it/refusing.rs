//! A store that does not answer: a server whose client has gone, or that is told to end, ends in time all the same.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::client::{Client, Project, timed};

/// A worker that goes on for long, and notes its process.
const CONFIG: &str = r#"
workers:
  work:
    command: [sh, -c, "echo $$ > began.part; mv began.part began; exec sleep 300"]
    capabilities: [{ name: work, task_types: [work] }]
"#;
/// How much longer than the grace time it may take: 2 s are promised, and one more is for a machine that does other things too.
const IN_TIME: Duration = Duration::from_secs(3);

/// Starts a server with a worker at work, and locks its store.
async fn begin(project: &Project, args: &[&str]) -> (Client, PathBuf, SqliteConnection) {
    fs::write(project.path().join("orch.yaml"), CONFIG).unwrap();
    let mut client = Client::start_with(project, args);
    let subtasks = json!([{ "id": "a", "description": "Work", "task_type": "work" }]);
    let arguments = json!({ "task": "Work", "subtasks": subtasks, "mode": "managed" });
    client.ok("alma_delegate_task", arguments);
    let began = project.path().join("began");
    while !began.exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let options = SqliteConnectOptions::new().filename(project.path().join(".orch/orch.db"));
    let mut lock = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut lock).await.unwrap();
    let pid = fs::read_to_string(began).unwrap();
    (client, PathBuf::from("/proc").join(pid.trim()), lock)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_client_has_gone_ends_in_time_while_its_store_is_locked() {
    let project = Project::new(&[]);
    let (client, worker, lock) = begin(&project, &["--trust", "--grace", "1s"]).await;
    let ((), took) = timed(|| drop(client.close()));
    assert!(took > Duration::from_secs(1), "the worker had its grace time, not only {took:?}");
    assert!(took < Duration::from_secs(1) + IN_TIME, "{took:?}");
    assert!(!worker.exists(), "the worker lives on");
    drop(lock);
    // The run is there for the next server.
    let mut next = Client::start(&project);
    let answer = next.ok("alma_orchestration_status", json!({}));
    assert!(answer.to_string().contains("Work"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_told_to_end_does_so_in_time_while_its_store_is_locked() {
    let project = Project::new(&[]);
    let (mut client, worker, _lock) = begin(&project, &["--trust"]).await;
    let ((), took) = timed(|| {
        let kill = Command::new("kill").args(["-TERM", &client.pid().to_string()]).status();
        assert!(kill.unwrap().success());
        client.has_ended();
    });
    assert!(took < Duration::from_secs(5) + IN_TIME, "{took:?}");
    assert!(!worker.exists(), "the worker lives on");
}

#[test]
fn a_call_in_flight_does_not_keep_a_server_whose_client_has_gone() {
    let project = Project::new(&[("reviewer", "Reviews code")]);
    let mut client = Client::start_with(&project, &["--grace", "1s"]);
    let subtasks = json!([{ "id": "a", "description": "Review a" }]);
    let run = client.ok("alma_delegate_task", json!({ "task": "Review", "subtasks": subtasks }));
    let run = run["orchestration_id"].clone();
    let wait = json!({ "orchestration_id": run, "wait_s": 20 });
    let name = "alma_orchestration_status";
    client.begin("tools/call", json!({ "name": name, "arguments": wait }));
    let (_, took) = timed(|| client.close());
    assert!(took < Duration::from_secs(1) + IN_TIME, "{took:?}");
}
