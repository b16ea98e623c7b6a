//! Exit codes, and what goes where.

use serde_json::json;

use crate::support::{Project, sleeping};

const MIXED: &str = r#"
description: Some of it fails
aggregation: { strategy: merge, min_success_ratio: RATIO }
subtasks:
  - { id: a, task_type: sleep, description: a, context: { seconds: 0 } }
  - { id: b, task_type: fail, description: b }
  - { id: c, task_type: sleep, description: c, context: { seconds: 0 }, dependencies: [b] }
"#;

#[test]
fn success_is_0_partial_3_failure_1_usage_2() {
    Project::with_workers(&sleeping(2, 0.0)).orch(&["run", "task.yaml"]).exits(0);
    Project::with_workers(&MIXED.replace("RATIO", "0.3")).orch(&["run", "task.yaml"]).exits(3);
    Project::with_workers(&MIXED.replace("RATIO", "0.9")).orch(&["run", "task.yaml"]).exits(1);
    Project::with_workers("").orch(&["walk"]).exits(2);
    Project::with_workers("").orch(&["run"]).exits(2);
    Project::with_workers(&sleeping(1, 0.0))
        .orch(&["run", "task.yaml", "--max-parallel", "0"])
        .exits(2);
    Project::with_workers(&sleeping(1, 0.0))
        .orch(&["run", "task.yaml", "--strategy", "paralel"])
        .exits(2)
        .says("did you mean `parallel`?");
}

#[test]
fn json_is_one_document_on_stdout() {
    let project = Project::with_workers(&MIXED.replace("RATIO", "0.3"));
    let done = project.orch(&["run", "task.yaml", "--json"]).exits(3);
    let document = done.json();
    assert_eq!(document["status"], "partial");
    assert_eq!(document["success"], true);
    assert_eq!(document["aggregated_output"], json!({ "a": "slept" }));
    assert_eq!(document["subtask_results"].as_array().unwrap().len(), 3);
    let id = document["orchestration_id"].as_str().unwrap();
    done.says(&format!("run {id}"));

    for args in [
        &["status", "--json"][..],
        &["status", "--all", "--json"],
        &["show", "--json"],
        &["show", id, "b", "--json"],
    ] {
        project.orch(args).exits(0).json();
    }
    let failed = project.orch(&["status", "ffff", "--json"]).exits(2);
    assert!(failed.json()["error"].as_str().unwrap().contains("no run begins with `ffff`"));
}

#[test]
fn quiet_leaves_only_the_data() {
    let project = Project::with_workers(&sleeping(1, 0.0));
    let done = project.orch(&["run", "task.yaml", "--quiet"]).exits(0);
    assert_eq!(done.stderr, "");
    assert_eq!(done.json(), json!({ "s0": "slept" }));
}

#[test]
fn a_person_reads_the_course_of_the_run_and_its_summary() {
    let done =
        Project::with_workers(&MIXED.replace("RATIO", "0.3")).orch(&["run", "task.yaml"]).exits(3);
    for text in [
        "run 01",
        "plan: 3 subtasks (explicit)",
        "> a (sleeper)",
        "✓ a (sleeper)",
        "✗ b: error (reported): `sh` exited with code 1: out of order",
        "- c: skipped, as `b` failed",
        "partial: 1 of 3 done, 1 failed, 1 skipped in ",
        "✓ a  done",
    ] {
        done.says(text);
    }
    assert!(
        done.stderr.starts_with("run "),
        "the id comes first: a killed run can be resumed\n{}",
        done.stderr
    );
}

#[test]
fn what_is_shown_of_the_output_is_up_to_the_task() {
    let config = r#"
workers:
  writer:
    command: [echo, '{"summary": "All is well.\n", "report": {"path": "out.md"}}']
    output: json
    capabilities: [{ name: w, task_types: [write] }]
"#;
    let task = "description: x\nshow: [/summary, { Report: /report/path }]\nsubtasks: [{ id: a, task_type: write, description: a }]\n";
    let project = Project::new(&[("orch.yaml", config), ("task.yaml", task)]);
    let shown = "All is well.\nReport: out.md\n";
    assert_eq!(project.orch(&["run", "task.yaml"]).exits(0).stdout, shown);
    assert_eq!(project.orch(&["show"]).exits(0).stdout, shown, "another process shows the same");
}

#[test]
fn a_sentence_is_a_task_too() {
    let config = "workers:\n  w: { command: [echo, '{{ task.context.name }}'], capabilities: [{ name: greet, task_types: [general] }] }\n";
    let project = Project::new(&[("orch.yaml", config)]);
    let done = project.orch(&["run", "Greet somebody", "--set", "name=Ann"]).exits(0);
    done.says("task type: general (inferred from the description)");
    assert!(done.stdout.contains("Ann"), "{}", done.stdout);
}

#[test]
fn the_command_line_counts_more_than_the_task_and_that_more_than_the_configuration() {
    let task = format!("strategy: sequential\n{}", sleeping(2, 0.0));
    let project = Project::with_workers(&task);
    let strategy = |args: &[&str]| {
        project.orch(&[&["run", "task.yaml", "-q"], args].concat()).exits(0);
        project.orch(&["status", "--json"]).exits(0).json()["strategy"].clone()
    };
    assert_eq!(strategy(&[]), "sequential");
    assert_eq!(strategy(&["--strategy", "adaptive"]), "adaptive");
}

#[test]
fn a_sentence_may_end_with_the_name_of_a_file() {
    let config = "workers:\n  w: { command: [echo, ok], capabilities: [{ name: tidy, task_types: [general] }] }\n";
    let project = Project::new(&[("orch.yaml", config)]);
    project.orch(&["run", "Tidy up orch.yaml"]).exits(0);
}

#[test]
fn nobody_has_to_read_the_progress() {
    let project = Project::with_workers(&sleeping(2, 0.2));
    let mut started = project.start(&["run", "task.yaml", "--json"]);
    started.run();
    started.stop_listening();
    assert_eq!(started.finish().exits(0).json()["status"], "completed");
}

#[test]
fn what_is_logged_goes_to_stderr() {
    let project = Project::with_workers(&sleeping(1, 0.0));
    let mut command = project.command(&["run", "task.yaml", "--quiet", "-vvv"]);
    let done = crate::support::Done::from_command(&mut command).exits(0);
    done.json();
    assert_ne!(done.stderr, "");
    let wrong =
        crate::support::Done::from_command(project.command(&["status"]).env("ORCH_LOG", "a=b=c"));
    wrong.exits(0).says("ORCH_LOG");
}
