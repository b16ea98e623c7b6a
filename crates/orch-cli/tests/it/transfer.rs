//! Moving what was learned to another store, and to another machine.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Project, WORKERS};

const TASK: &str = "description: Nap\ntask_type: nap\nsubtasks:\n  - { id: a, task_type: sleep, description: Nap, context: { seconds: 0 } }\n";

/// A project with three runs, an opinion about the last, and a pin.
fn taught() -> Project {
    let project = Project::with_workers(TASK);
    for _ in 0..3 {
        project.orch(&["run", "task.yaml"]).exits(0);
    }
    project.orch(&["feedback", "--score", "0.3", "--note", "dull"]).exits(0);
    let rules = project.orch(&["--json", "memory", "list"]).json();
    let rule = rules["rules"][0]["heuristic"]["id"].as_str().unwrap();
    project.orch(&["memory", "pin", rule]).exits(0);
    project
}

fn exported(project: &Project) -> String {
    project.orch(&["memory", "export", "-"]).exits(0).stdout
}

fn import(project: &Project, lines: &str) -> Value {
    project.write("in.jsonl", lines);
    project.orch(&["--json", "memory", "import", "in.jsonl"]).exits(0).json()
}

/// Changes the memory behind orch's back.
fn sql(project: &Project, statement: &str) {
    let code =
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit()";
    let mut python = Command::new("python3");
    let done = python.args(["-c", code]).arg(project.store()).arg(statement).status().unwrap();
    assert!(done.success());
}

#[test]
fn what_was_learned_moves_into_almas_file() {
    let project = taught();
    let before = exported(&project);
    project.write(".alma/config.yaml", "alma: { project_id: shop, storage: sqlite }\n");
    project.write("orch.yaml", &format!("project: p\nmemory: {{ store: alma }}\n{WORKERS}"));
    let imported = import(&project, &before);
    assert_eq!(imported["runs"], 3, "{imported}");
    assert_eq!(exported(&project), before);
    let none = json!({
        "runs": 0, "runs_known": 3, "rulings": 0, "rulings_kept": 0, "feedback": 0, "feedback_kept": 0
    });
    assert_eq!(import(&project, &before), none, "nothing is new");
}

#[test]
fn another_machine_needs_no_run_to_import() {
    let lines = exported(&taught());
    let other = Project::with_workers(TASK);
    other.orch(&["memory", "import", "nothing.jsonl"]).exits(2);
    assert!(!other.store().exists(), "there was nothing to import");
    assert_eq!(import(&other, &lines)["runs"], 3);
    assert_eq!(exported(&other), lines);
}

#[test]
fn runs_that_came_by_an_import_can_be_forgotten() {
    let project = taught();
    let lines = exported(&project);
    let ids: Vec<String> = project.orch(&["--json", "status", "--all"]).json()["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["orchestration_id"].as_str().unwrap().to_owned())
        .collect();
    let other = Project::with_workers(TASK);
    other.write("orch.yaml", &format!("project: {}\n{WORKERS}", project_of(&project)));
    import(&other, &lines);
    let forget = |id: &str| other.orch(&["memory", "forget", "--yes", "--run", id]);
    forget(&ids[0][..1]).exits(2).says(&ids[1]);
    let done = forget(&ids[0]).exits(0).stdout;
    assert!(
        done.contains("forgotten: 0 records of workers, 0 of types of task, 2 examples"),
        "{done}"
    );
    forget(&ids[0]).exits(2).says("no run begins with");
}

fn project_of(project: &Project) -> String {
    project.orch(&["--json", "memory", "stats"]).json()["project"].as_str().unwrap().to_owned()
}

#[test]
fn runs_that_are_known_get_what_was_said_about_them() {
    let project = taught();
    let lines = exported(&project);
    sql(&project, "DELETE FROM orch_rulings");
    let text = project.orch(&["memory", "import", "-"]);
    assert_eq!(text.code, 1, "stdin is empty: {text:?}");
    project.orch(&["feedback", "--score", "0.9"]).exits(0);
    let imported = import(&project, &lines);
    assert_eq!((&imported["rulings"], &imported["feedback_kept"]), (&1.into(), &1.into()));
    project.write("in.jsonl", &lines);
    let text = project.orch(&["memory", "import", "in.jsonl"]).exits(0);
    text.says("runs learned: 0, known before: 3\n");
    text.says("opinions taken: 0, left as they are here: 1\n");
    text.says("decisions taken: 0, left as they are here: 0\n");
}

#[test]
fn an_export_that_fails_leaves_the_one_before() {
    let project = taught();
    project.orch(&["memory", "export", "out.jsonl"]).exits(0);
    let before = std::fs::read_to_string(project.path().join("out.jsonl")).unwrap();
    let files = || std::fs::read_dir(project.path()).unwrap().count();
    let many = files();
    sql(&project, "UPDATE orch_past SET body = 'x' WHERE step = ''");
    project.orch(&["memory", "export", "out.jsonl"]).exits(1);
    let after = std::fs::read_to_string(project.path().join("out.jsonl")).unwrap();
    assert!(after == before, "{after}");
    assert_eq!(files(), many, "nothing is left beside it");
}

#[cfg(unix)]
#[test]
fn an_export_goes_where_a_link_leads_and_into_what_is_no_file() {
    let project = taught();
    project.write("backups/old.jsonl", "old");
    let link = project.path().join("out.jsonl");
    std::os::unix::fs::symlink("backups/old.jsonl", &link).unwrap();
    project.orch(&["memory", "export", "out.jsonl"]).exits(0);
    assert!(link.symlink_metadata().unwrap().is_symlink());
    let lines = exported(&project);
    let written = std::fs::read_to_string(project.path().join("backups/old.jsonl")).unwrap();
    assert_eq!(written, lines);
    project.orch(&["memory", "export", "/dev/stdout"]).exits(0);
    project.orch(&["memory", "export", "/dev/null"]).exits(0);
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file(), "it is what it was");
}
