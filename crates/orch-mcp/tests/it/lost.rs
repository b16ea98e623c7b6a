//! The store of a server that serves is removed or replaced.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Client, Project, timed};

fn project() -> Project {
    Project::new(&[("reviewer", "Reviews code")])
}

fn state(project: &Project) -> PathBuf {
    project.path().join(".orch")
}

/// Delegates a task and returns the id of its run.
fn delegate(client: &mut Client, task: &str) -> Value {
    let subtasks = json!([{ "id": "a", "description": "Review a" }]);
    let arguments = json!({ "task": task, "subtasks": subtasks });
    client.ok("alma_delegate_task", arguments)["orchestration_id"].clone()
}

/// Asks for a run that the server cannot have, and returns what it says.
#[track_caller]
fn refusal(client: &mut Client, run: &Value) -> String {
    let arguments = json!({ "orchestration_id": run });
    let result = client.call("alma_orchestration_status", arguments);
    assert_eq!(result["isError"], true, "{result}");
    result["structuredContent"]["error"].as_str().unwrap().to_owned()
}

/// Waits until the server's log says something, at most ten seconds: it is to notice within five.
#[track_caller]
fn log_says(project: &Project, text: &str) -> String {
    let read = || fs::read_to_string(project.path().join("stderr.txt")).unwrap();
    for _ in 0..500 {
        if read().contains(text) {
            return read();
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("`{text}` is not in:\n{}", read());
}

#[test]
fn a_server_whose_store_was_removed_says_what_is_lost_and_goes_on() {
    let project = project();
    let mut client = Client::start(&project);
    let lost = [delegate(&mut client, "the first"), delegate(&mut client, "the second")];
    fs::remove_dir_all(state(&project)).unwrap();
    let log = log_says(&project, "orch.db is gone");
    for (run, task) in lost.iter().zip(["the first", "the second"]) {
        assert!(log.contains(&format!("{} ({task})", run.as_str().unwrap())), "{log}");
    }
    let third = delegate(&mut client, "the third");
    for run in &lost {
        let said = refusal(&mut client, run);
        assert!(said.contains("is lost: The store ") && said.contains("is gone"), "{said}");
    }
    let mut second = Client::start(&project);
    let status = json!({ "orchestration_id": third });
    assert_eq!(second.ok("alma_orchestration_status", status)["status"], "active");
    assert!(second.close().0 && client.close().0);
    let left = fs::read_dir(state(&project)).unwrap().map(|entry| entry.unwrap().file_name());
    let left = left.filter(|name| name.to_string_lossy().starts_with("orch.db"));
    assert_eq!(left.collect::<Vec<_>>(), ["orch.db"], "a store alone is whole");
}

#[test]
fn another_store_in_the_place_is_refused_by_its_id_until_the_right_one_is_back() {
    let (other, project) = (project(), project());
    let mut client = Client::start(&other);
    delegate(&mut client, "of another project");
    assert!(client.close().0);
    let mut client = Client::start(&project);
    let run = delegate(&mut client, "ours");
    // Another name keeps the right one; so there is no moment without a store.
    let (store, kept) = (state(&project).join("orch.db"), project.path().join("kept.db"));
    fs::hard_link(&store, &kept).unwrap();
    fs::rename(state(&other).join("orch.db"), &store).unwrap();
    let log = log_says(&project, "orch.db is another store now: its id is ");
    assert!(log.contains(&format!("{} (ours)", run.as_str().unwrap())), "{log}");
    let said = refusal(&mut client, &run);
    assert!(said.contains("is another store now: its id is "), "{said}");
    assert!(said.contains("and that of the store that was there is "), "{said}");
    assert!(said.contains("move the right store back"), "{said}");

    fs::rename(&kept, &store).unwrap();
    let arguments = json!({ "orchestration_id": run });
    // It looks every second.
    for _ in 0..500 {
        let result = client.call("alma_orchestration_status", arguments.clone());
        if result["isError"] == false {
            assert_eq!(result["structuredContent"]["status"], "active", "{result}");
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("the right store is back, and still refused");
}

#[test]
fn a_client_that_goes_while_a_lost_store_is_being_left_is_not_waited_for() {
    let project = Project::new(&[]);
    // It minds no SIGTERM, so that leaving the store takes its time.
    let config = r#"
workers:
  stubborn:
    command: [sh, -c, "trap '' TERM; echo $$ > began.part; mv began.part began; while :; do sleep 1; done"]
    capabilities: [{ name: work, task_types: [work] }]
    grace: 60s
"#;
    fs::write(project.path().join("orch.yaml"), config).unwrap();
    let mut client = Client::start_with(&project, &["--trust", "--grace", "100ms"]);
    let subtasks = json!([{ "id": "a", "description": "Work", "task_type": "work" }]);
    let arguments = json!({ "task": "Work", "subtasks": subtasks, "mode": "managed" });
    client.ok("alma_delegate_task", arguments);
    let began = project.path().join("began");
    while !began.exists() {
        thread::sleep(Duration::from_millis(5));
    }
    let worker = PathBuf::from("/proc").join(fs::read_to_string(began).unwrap().trim());
    fs::remove_dir_all(state(&project)).unwrap();
    log_says(&project, "orch.db is gone");
    let (_, took) = timed(|| client.close());
    // 2.1 s are promised; leaving the store alone takes more than 5 s.
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert!(!worker.exists(), "the worker lives on");
}
