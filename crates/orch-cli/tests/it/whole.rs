//! A store alone is whole: when a command has ended, `orch.db` is everything, and a copy of it is a copy of all.

use std::fs;

use rustix::process::Signal;
use serde_json::json;

use crate::agents;
use crate::support::{Project, sleeping};

/// Checks that `orch.db` is the only file of the store, and that a copy of it knows the same runs.
#[track_caller]
fn is_whole(project: &Project, after: &str) {
    let folder = project.store().parent().unwrap().to_owned();
    let names = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name());
    let of_store = names.filter(|name| name.to_string_lossy().starts_with("orch.db"));
    assert_eq!(of_store.collect::<Vec<_>>(), ["orch.db"], "after {after}");
    let copy = Project::new(&[("orch.yaml", ""), (".orch/empty", "")]);
    fs::copy(project.store(), copy.store()).unwrap();
    let runs = |project: &Project| project.orch(&["status", "--all", "--json"]).exits(0).json();
    assert_eq!(runs(&copy), runs(project), "after {after}");
}

#[test]
fn after_every_command_also_after_one_that_failed() {
    let project = Project::with_workers(&sleeping(2, 0.0));
    project.write(
        "fails.yaml",
        "description: f\nsubtasks: [{ id: f, task_type: fail, description: f }]\n",
    );
    for (args, code) in [
        (&["run", "task.yaml"][..], 0),
        (&["run", "fails.yaml", "--quiet"], 1),
        (&["status"], 0),
        (&["status", "--all"], 0),
        (&["status", "nobody"], 2),
        (&["show"], 0),
        (&["show", "latest", "f"], 0),
        (&["show", "latest", "nobody"], 2),
        (&["plan", "task.yaml"], 0),
        (&["cancel"], 1),
        (&["resume"], 1),
        (&["claim"], 2),
        (&["report", "f", "--result", "x"], 2),
        (&["feedback", "--score", "0.5"], 0),
        (&["feedback", "--score", "7"], 2),
        (&["memory", "stats"], 0),
        (&["memory", "list"], 0),
        (&["memory", "export", "out.jsonl"], 0),
        (&["memory", "forget", "--all"], 0),
        (&["memory", "vacuum"], 0),
    ] {
        project.orch(args).exits(code);
        is_whole(&project, &args.join(" "));
    }
}

#[test]
fn after_a_claim_and_a_report() {
    let project = agents::project("");
    agents::delegate(&project, json!([{ "id": "a", "description": "Review a" }]));
    for (args, code) in [(&["claim"][..], 4), (&["report", "a", "--result", "of a"], 0)] {
        agents::orch(&project, args).exits(code);
        is_whole(&project, args[0]);
    }
}

#[test]
fn after_a_run_that_was_suspended_and_after_it_went_on() {
    for signal in [Signal::INT, Signal::TERM] {
        let project = Project::with_workers(&sleeping(2, 60.0));
        let mut started = project.start(&["run", "task.yaml"]);
        started.until("> s1");
        started.signal(signal);
        started.finish().exits(130);
        is_whole(&project, "a signal");
        let mut started = project.start(&["resume"]);
        started.until("> s1");
        started.signal(signal);
        started.finish().exits(130);
        is_whole(&project, "a signal after resume");
        project.orch(&["cancel"]).exits(0);
        is_whole(&project, "cancel");
    }
}

#[test]
fn with_a_memory_in_the_file_of_alma_that_is_whole_too() {
    let project = Project::with_workers(&sleeping(1, 0.0));
    let config = fs::read_to_string(project.path().join("orch.yaml")).unwrap();
    project.write("orch.yaml", &format!("{config}memory: {{ store: alma }}\n"));
    project.write(".alma/config.yaml", "alma: { project_id: shop, storage: sqlite }\n");
    for args in [&["run", "task.yaml"][..], &["memory", "stats"], &["plan", "task.yaml"]] {
        project.orch(args).exits(0);
        is_whole(&project, args[0]);
        for ending in ["-wal", "-shm"] {
            let beside = project.path().join(format!(".alma/alma.db{ending}"));
            assert!(!beside.exists(), "{} after {args:?}", beside.display());
        }
    }
}
