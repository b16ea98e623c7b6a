//! A run from all sides: run, status, show, cancel, by any unique beginning of its id.

use serde_json::json;

use crate::support::{Project, sleeping};

#[test]
fn a_run_is_found_again() {
    let project = Project::with_workers(&sleeping(2, 0.0));
    let id =
        project.orch(&["run", "task.yaml", "--json"]).exits(0).json()["orchestration_id"].clone();
    let id = id.as_str().unwrap();

    for name in [&[][..], &["latest"], &[&id[..20]], &[&id.to_uppercase()], &[id]] {
        let status = project.orch(&[&["status", "--json"], name].concat()).exits(0).json();
        assert_eq!(status["orchestration_id"], id);
        assert_eq!(
            (&status["status"], &status["end_status"]),
            (&json!("ended"), &json!("completed"))
        );
    }
    let text = project.orch(&["status"]).exits(0).stdout;
    assert!(
        text.contains("completed: 2 of 2 done") && text.contains("✓ s0  done       sleeper"),
        "{text}"
    );

    let shown = project.orch(&["show", id]).exits(0);
    assert_eq!(shown.json(), json!({ "s0": "slept", "s1": "slept" }));
    let list = project.orch(&["status", "--all"]).exits(0).stdout;
    assert!(list.contains(id) && list.contains("completed") && list.contains("Wait"), "{list}");
}

#[test]
fn a_subtask_shows_its_attempts_and_why_these_workers() {
    let config = r#"
retry: { retry_delay: 1ms }
workers:
  first: { command: [sh, -c, "echo no tool >&2; exit 69"], capabilities: [{ name: x, task_types: [t], proficiency: 1.0 }] }
  second: { command: [sh, -c, "echo careful >&2; echo fine"], capabilities: [{ name: x, task_types: [t], proficiency: 0.5 }] }
"#;
    let task = "description: x\nsubtasks: [{ id: a, task_type: t, description: Do a }]\n";
    let project = Project::new(&[("orch.yaml", config), ("task.yaml", task)]);
    project.orch(&["run", "task.yaml", "-q"]).exits(0);

    let shown = project.orch(&["show", "latest", "a", "--json"]).exits(0).json();
    let attempts = shown["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[0]["worker"], "first");
    assert_eq!(attempts[0]["end"]["failed"]["cause"], "unavailable");
    assert_eq!(attempts[0]["end"]["failed"]["evidence"]["stderr"], "no tool\n");
    assert_eq!(
        (&attempts[1]["worker"], &attempts[1]["end"]),
        (&json!("second"), &json!("accepted"))
    );
    assert!(attempts[0]["route"]["reason"].as_str().unwrap().contains("best fit"));
    assert_eq!(shown["result"]["output"], "fine");

    let text = project.orch(&["show", "latest", "a"]).exits(0).stdout;
    for part in [
        "a (t): Do a",
        "by first",
        "by second",
        "why: best fit",
        "no tool",
        "careful",
        "output: \"fine\"",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    project.orch(&["show", "latest", "b"]).exits(2).says("has no subtask `b`; did you mean `a`?");
}

#[test]
fn an_ambiguous_beginning_lists_the_candidates() {
    let project = Project::with_workers(&sleeping(1, 0.0));
    let ids: Vec<String> = (0..2)
        .map(|_| {
            project.orch(&["run", "task.yaml", "--json"]).exits(0).json()["orchestration_id"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    let done = project.orch(&["status", "0"]).exits(2);
    done.says("several runs begin with `0`");
    for id in &ids {
        done.says(id);
    }
    let latest = project.orch(&["status", "--json"]).exits(0).json();
    assert_eq!(latest["orchestration_id"], ids[1].as_str());
    let list = project.orch(&["status", "--all", "--json", "--limit", "1"]).exits(0).json();
    assert_eq!(list["runs"].as_array().unwrap().len(), 1);
}

#[test]
fn what_has_ended_can_neither_be_cancelled_nor_resumed() {
    let project = Project::with_workers(&sleeping(1, 0.0));
    project.orch(&["run", "task.yaml", "-q"]).exits(0);
    project.orch(&["cancel"]).exits(1).says("had ended before: completed");
    project.orch(&["resume"]).exits(1).says("ended");
}

#[test]
fn a_run_goes_on_with_the_configuration_that_it_was_made_with() {
    let elsewhere = Project::with_workers(&sleeping(2, 30.0));
    let project = Project::new(&[(".orch/keep", "")]);
    let task = elsewhere.path().join("task.yaml");
    let mut started = project.start(&["run", task.to_str().unwrap()]);
    let run = started.run();
    started.until("> s1");
    started.signal(rustix::process::Signal::INT);
    started.finish().exits(130);
    assert_eq!(project.orch(&["status", "--json"]).exits(0).json()["status"], "suspended");

    // No orch.yaml is anywhere near: only the note says which workers there are.
    elsewhere.write(
        "orch.yaml",
        &crate::support::WORKERS.replace("sleep {{ subtask.context.seconds }}", "true"),
    );
    let done = project.orch(&["resume", "--json"]).exits(0);
    assert_eq!(done.json()["orchestration_id"], run.to_string());
    assert_eq!(done.json()["aggregated_output"], json!({ "s0": "slept", "s1": "slept" }));
}

#[test]
fn a_suspended_run_can_be_cancelled() {
    let project = Project::with_workers(&sleeping(2, 30.0));
    let mut started = project.start(&["run", "task.yaml"]);
    started.until("> s1");
    started.signal(rustix::process::Signal::INT);
    started.finish().exits(130);
    let done = project.orch(&["cancel"]).exits(0);
    assert!(done.stdout.contains("0 of 2 done, 2 cancelled\nnot done: s0, s1"), "{}", done.stdout);
    assert_eq!(project.orch(&["status", "--json"]).exits(0).json()["end_status"], "cancelled");
}
