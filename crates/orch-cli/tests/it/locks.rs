//! Locks that other runs hold: freed when the holder is dead, told when it is not.

use rustix::process::Signal;
use serde_json::json;

use crate::support::{Project, children_of};

/// A worker that holds the lock as long as its file is not there.
fn project() -> Project {
    let config = json!({
        "workers": { "db": {
            "command": ["sh", "-c", "while ! [ -e free ]; do sleep 0.05; done; echo migrated"],
            "capabilities": [{ "name": "db", "task_types": ["migrate"] }],
            "stdin": "none",
        } },
    });
    let task = "description: Migrate\nsubtasks: [{ id: migrate, task_type: migrate, description: One at a time, locks: [database] }]\n";
    Project::new(&[("orch.yaml", &config.to_string()), ("task.yaml", task)])
}

#[test]
fn a_lock_of_a_dead_run_is_freed_and_the_run_can_be_resumed() {
    let project = project();
    let mut holder = project.start(&["run", "task.yaml"]);
    let dead = holder.run();
    holder.until("> migrate");
    while children_of(dead).is_empty() {
        std::thread::yield_now();
    }
    holder.signal(Signal::KILL);
    holder.finish();

    let mut second = project.start(&["run", "task.yaml"]);
    second.until("> migrate");
    assert_eq!(children_of(dead), [0; 0], "what it left was ended before its lock was given away");
    let status = project.orch(&["status", &dead.to_string(), "--json"]).exits(0).json();
    assert_eq!((&status["status"], &status["owner"]), (&json!("suspended"), &json!(null)));
    project.write("free", "");
    second.finish().exits(0).says("completed");
    let resumed = project.orch(&["resume", &dead.to_string()]).exits(0);
    assert_eq!(resumed.json(), json!({ "migrate": "migrated" }));
}

#[test]
fn who_holds_a_lock_is_told_wherever_a_person_looks() {
    let project = project();
    let mut holder = project.start(&["run", "task.yaml"]);
    let held_by = holder.run();
    holder.until("> migrate");
    let mut second = project.start(&["run", "task.yaml"]);
    let run = second.run().to_string();
    let owner = format!("orch run, process {}, not known to be dead", holder.pid());
    let told = format!(
        "waits for lock `database`, held by run {held_by} ({owner}): `orch resume {held_by}` or `orch cancel {held_by}`"
    );
    assert_eq!(second.until(". migrate "), told);
    for args in [&["status", &run][..], &["show", &run], &["show", &run, "migrate"]] {
        let shown = project.orch(args).exits(0).stdout;
        assert!(shown.contains(&told), "{args:?}: {shown}");
    }
    let wait = json!({
        "lock": "database", "held_by": held_by, "owner": "orch run", "owner_pid": holder.pid(),
        "owner_ended": false,
    });
    let status = project.orch(&["status", &run, "--json"]).exits(0).json();
    assert_eq!(status["subtasks"][0]["waits_for"], wait);
    let shown = project.orch(&["show", &run, "migrate", "--json"]).exits(0).json();
    assert_eq!(shown["waits_for"], wait);

    project.write("free", "");
    holder.finish().exits(0);
    second.finish().exits(0).says("completed");
}
