//! What is run is what was meant: a file, stdin, or a sentence.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::json;

use crate::support::{Done, Project};

/// A worker that takes whatever task there is.
const CONFIG: &str = "workers:\n  w: { command: [echo, '{{ subtask.description }}'], stdin: none, capabilities: [{ name: w, task_types: [general] }] }\n";
const TASK: &str = "description: From a file\n";

fn project() -> Project {
    Project::new(&[
        ("orch.yaml", CONFIG),
        ("task.yaml", TASK),
        ("task.toml", "description = 'x'"),
        ("My task", TASK),
        ("jobs/task.json", "{\"description\": \"In a folder\"}"),
        ("jobs/night.yaml", TASK),
        ("empty/readme", ""),
    ])
}

#[test]
fn what_is_no_task_is_refused_before_anything_is_written() {
    let project = project();
    for (task, said) in [
        ("", "the task is empty"),
        ("  \t ", "the task is empty"),
        (".", "`.` is a folder; did you mean `./task.yaml`?"),
        ("jobs", "`jobs` is a folder; did you mean `jobs/task.json`?"),
        ("empty/", "`empty/` is a folder; name a task file in it"),
        ("task", "there is no file `task`; did you mean `task.yaml`?"),
        ("task.yml", "there is no file `task.yml`; did you mean `task.yaml`?"),
        ("ochr.yaml", "there is no file `ochr.yaml`; did you mean `orch.yaml`?"),
        ("jobs/nihgt.yaml", "did you mean `jobs/night.yaml`?"),
        ("task.yaml ", "there is no file `task.yaml`; did you mean `task.yaml`?"),
        ("task.toml", "`task.toml` is TOML, which is not supported"),
        ("gone/job.toml", "TOML is not supported"),
        ("Refactor", "orch run -- Refactor"),
        ("/nowhere/task.yaml", "there is no file `/nowhere/task.yaml`"),
    ] {
        for command in ["run", "plan"] {
            let done = project.orch(&[command, task]).exits(2);
            done.says(said);
            assert_eq!((done.stdout.as_str(), done.stderr.lines().count()), ("", 1), "{done:?}");
        }
    }
    project.orch(&["run", "--", " "]).exits(2).says("the task is empty");
    project.orch(&["run", "task.yaml", "--", "Do", "it"]).exits(2);
    project.orch(&["run"]).exits(2).says("TASK");
    assert!(!project.path().join(".orch").exists());
}

#[test]
fn what_was_meant_is_run() {
    let project = project();
    for (args, description) in [
        (&["task.yaml"][..], "From a file"),
        (&["My task"], "From a file"),
        (&["./jobs/task.json"], "In a folder"),
        (&["Tidy up orch.yaml"], "Tidy up orch.yaml"),
        (&["--", "Refactor"], "Refactor"),
        (&["--", "task.yaml"], "task.yaml"),
        (&["--", "Fix", "the", "parser"], "Fix the parser"),
    ] {
        let done = project.orch(&[&["run", "-q"], args].concat()).exits(0);
        assert_eq!(done.json(), json!({ "task": description }), "{args:?}");
    }
    project.orch(&["plan", "--", "Refactor"]).exits(0);
}

#[test]
fn a_dash_is_a_task_file_on_stdin() {
    let project = project();
    let from_stdin = |args: &[&str], text: &str| {
        let mut command = project.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        Done {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    };
    let yaml = "description: From stdin\ncontext: { n: 1 }\n";
    let said = |text: &str| from_stdin(&["run", "-", "-q"], text).exits(0).json()["task"].clone();
    assert_eq!(said(yaml), "From stdin");
    let json = json!({ "description": "From JSON" }).to_string();
    assert_eq!(said(&json), "From JSON");
    from_stdin(&["plan", "-", "--set", "n=2"], yaml).exits(0);
    from_stdin(&["run", "-"], "description: x\nbad: 1\n")
        .exits(2)
        .says("-:2:1: bad: unknown field");
    from_stdin(&["run", "-"], "").exits(2).says("-:1:1: missing field `description`");
    assert_eq!(
        fs::read_dir(project.path()).unwrap().count(),
        7,
        "six names of the project, and .orch"
    );
}
