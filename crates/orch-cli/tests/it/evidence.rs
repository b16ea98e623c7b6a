//! What a program wrote is found with its attempt, however that ended.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::Project;

fn project(script: &str, timeout: &str) -> Project {
    let config = json!({
        "retry": { "max_retries": 0 },
        "workers": { "tests": {
            "command": ["sh", "-c", script],
            "capabilities": [{ "name": "tests", "task_types": ["test"] }],
            "stdin": "none",
            "timeout": timeout,
        } },
    });
    let task = "description: Test the shop\nsubtasks: [{ id: unit, task_type: test, description: Unit tests }]\n";
    Project::new(&[("orch.yaml", &config.to_string()), ("task.yaml", task)])
}

/// Checks what `orch show` says of the attempt, and returns the attempt.
#[track_caller]
fn shows(project: &Project, text: &str) -> Value {
    let shown = project.orch(&["show", "latest", "unit"]).exits(0);
    assert!(shown.stdout.contains(text), "`{text}` is not in:\n{}", shown.stdout);
    let shown = project.orch(&["show", "latest", "unit", "--json"]).exits(0).json();
    shown["attempts"][0].clone()
}

#[test]
fn a_failed_program_told_its_reason_on_stdout() {
    let report = "total FAILED\nE   assert 5, was 6\n1 failed, 41 passed\n";
    let project = project(&format!("printf '{report}'; exit 1"), "60s");
    let done = project.orch(&["run", "task.yaml"]).exits(1);
    done.says("exited with code 1: 1 failed, 41 passed");
    let attempt = shows(&project, "was 6");
    let evidence = json!({ "exit_code": 1, "stdout": report, "stdout_bytes": report.len() });
    assert_eq!(attempt["end"]["failed"]["evidence"], evidence);
}

#[test]
fn a_program_that_ran_out_of_time_said_what_it_waited_for() {
    let project = project("echo 'step 2: waiting for a lock'; exec sleep 60", "500ms");
    project.orch(&["run", "task.yaml"]).exits(1).says(": step 2: waiting for a lock");
    let attempt = shows(&project, "step 2");
    let evidence = &attempt["end"]["failed"]["evidence"];
    assert_eq!(evidence["stdout"], "step 2: waiting for a lock\n");
}

#[test]
fn a_stopped_program_has_not_worked_for_nothing() {
    for (cancels, code, end) in
        [(false, 130, json!({ "lost": "suspended" })), (true, 1, json!({ "closed": "cancelled" }))]
    {
        let project = project("echo 'half of it'; : > ready; exec sleep 60", "60s");
        let mut started = project.start(&["run", "task.yaml"]);
        let ready = project.path().join("ready");
        while !ready.exists() {
            assert!(!started.has_ended());
            std::thread::yield_now();
        }
        if cancels {
            project.orch(&["cancel"]).exits(0);
        } else {
            started.signal(Signal::INT);
        }
        started.finish().exits(code);
        let attempt = shows(&project, "half of it");
        assert_eq!(attempt["end"], end);
        assert_eq!(attempt["evidence"]["stdout"], "half of it\n");
    }
}
