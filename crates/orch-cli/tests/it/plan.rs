//! `orch plan`: what a run would be, by what earlier ones have taught; nothing is run or written.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::audit::{Repository, example};
use crate::support::Project;

/// Workers that leave a trace, should they ever be started.
const CONFIG: &str = r#"
strategy: parallel
workers:
  ann:
    command: [touch, started]
    capabilities: [{ name: work, task_types: [work] }]
    max_concurrency: 1
  bob:
    command: [touch, started]
    capabilities: [{ name: work, task_types: [work], proficiency: 0.8 }, { name: join, task_types: [join] }]
    max_concurrency: 1
"#;

const TASK: &str = "description: Do it\ntask_type: job\ncontext: { who: Ann }\nsubtasks:
  - { id: first, task_type: work, description: Do the first, estimated_duration_ms: 2000 }
  - { id: second, task_type: work, description: Do the second, estimated_duration_ms: 500 }
  - { id: third, task_type: work, description: Do the third, estimated_duration_ms: 500 }
  - { id: all, task_type: join, description: Join them, dependencies: [first, second, third], estimated_duration_ms: 100 }
";

/// All files of a folder with what is in them.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let name = entry.path().display().to_string();
        if entry.file_type().unwrap().is_dir() {
            all.extend(files(&entry.path()));
            all.insert(name, Vec::new());
        } else {
            all.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    all
}

#[test]
fn a_plan_says_who_when_and_why_and_changes_nothing() {
    let project = Project::new(&[("orch.yaml", CONFIG), ("task.yaml", TASK)]);
    let before = files(project.path());
    let text = project.orch(&["plan", "task.yaml", "--set", "who=Bob"]).exits(0).stdout;
    let expected = "\
plan: 4 subtasks, from: explicit, confidence 1.00
  estimated_total_duration_ms was missing; the longest path takes 2100
  parallelism_factor was 1; the dependencies allow 1.48
earlier runs: no memory here yet
time: 2.10 s, or 2.10 s if everything is slow (parallel, at most 64 at once, 2 needed)
longest path: 2.10 s, first -> all
average parallelism: 1.5 without limits; by level 3, 1
cost: unknown
durations: 0 from memory, 4 from the plan, 0 guessed

first   ann   0.00 s +  2.00 s (slow 2.00 s)  plan
  why: best fit: `ann` with 1.00 (proficiency 1.00 at `work`, success 1.00, load 0.00), ahead of `bob` with 0.80, confidence 1.00
  then: bob
second  bob   0.00 s +  0.50 s (slow 0.50 s)  plan
  why: best fit: `bob` with 0.80 (proficiency 0.80 at `work`, success 1.00, load 0.00), nobody else fits, confidence 0.80
third   bob   0.50 s +  0.50 s (slow 0.50 s)  plan
  why: best fit: `bob` with 0.80 (proficiency 0.80 at `work`, success 1.00, load 0.00), nobody else fits, confidence 0.80
all     bob   2.00 s +  0.10 s (slow 0.10 s)  plan
  why: best fit: `bob` with 1.00 (proficiency 1.00 at `join`, success 1.00, load 0.00), nobody else fits, confidence 1.00
";
    assert_eq!(text, expected);

    let one = project.orch(&["plan", "task.yaml", "--max-parallel", "1", "--json"]).exits(0).json();
    assert_eq!((&one["forecast"]["wall_ms"], &one["max_parallel"]), (&json!(3_100), &json!(1)));
    assert_eq!(files(project.path()), before, "not even a store");

    project.orch(&["plan", "task.yaml", "--set", "whom=Bob"]).exits(2).says("did you mean `who`?");
    project.orch(&["plan", "Paint the house"]).exits(2);
}

#[test]
fn the_second_audit_is_planned_by_what_the_first_has_taught() {
    let repository = Repository::of_files(50);
    let project = Project::new(&[(".orch/keep", "")]);
    let task = example().join("task.yaml");
    let repo = format!("repo={}", repository.path().display());
    let orch = |command: &[&str]| {
        project.orch(&[command, &[task.to_str().unwrap(), "--set", &repo]].concat()).exits(0)
    };
    let first = orch(&["plan", "--json"]).json();
    assert_eq!((&first["forecast"]["guessed"], &first["memory"]), (&json!(12), &json!(false)));
    assert_eq!(first["earlier_runs"], Value::Null);

    let run = orch(&["run", "--json"]).json();
    let stored = || {
        let mut files = files(&project.path().join(".orch"));
        // A reader of a SQLite file in WAL mode writes to `-shm`, and leaves an empty `-wal`.
        files.retain(|name, bytes| !name.ends_with("-shm") && !bytes.is_empty());
        files
    };
    let before = stored();
    let second = orch(&["plan", "--json"]).json();
    assert!(stored() == before, "a plan writes nothing to the store");

    let forecast = &second["forecast"];
    assert_eq!((&forecast["guessed"], &second["earlier_runs"]["attempts"]), (&json!(0), &json!(1)));
    let results = run["subtask_results"].as_array().unwrap();
    for subtask in forecast["subtasks"].as_array().unwrap() {
        let result =
            results.iter().find(|result| result["subtask_id"] == subtask["subtask_id"]).unwrap();
        let attempt = &subtask["attempt"];
        assert_eq!(attempt["worker"], result["worker_name"], "{subtask}");
        assert_eq!(attempt["estimate"]["basis"], json!({ "worker": 1 }), "{subtask}");
        let (took, said) = (
            result["duration_ms"].as_u64().unwrap(),
            attempt["estimate"]["duration_ms"].as_u64().unwrap(),
        );
        assert!(took.abs_diff(said) <= took / 32, "it took {took} ms: {subtask}");
        assert_eq!(attempt["record"]["successes"], 1);
        assert!(attempt["record"]["confidence"].as_f64().unwrap() > 0.2, "{subtask}");
    }

    let text = orch(&["plan"]).stdout;
    for part in [
        "earlier runs of type `repo_audit` with such a plan: 1/1 succeeded",
        "durations: 12 from memory, 0 from the plan, 0 guessed",
        "  record: 1/1 succeeded (score >= 0.23, 95 % confidence)",
    ] {
        assert!(text.contains(part), "`{part}` is not in {text}");
    }
    let explained = project.orch(&["memory", "show"]).exits(0).stdout;
    for result in results {
        let start = format!(
            "`{}` at `{}`: 1/1 succeeded (score >= 0.23, 95 % confidence)",
            result["worker_name"].as_str().unwrap(),
            result["subtask_id"].as_str().unwrap()
        );
        assert!(
            explained.lines().any(|line| line.starts_with(&start)),
            "`{start}` is not in {explained}"
        );
    }
    let churn = project.orch(&["memory", "show", "churn"]).exits(0).stdout;
    assert_eq!(churn.lines().count(), 1, "{churn}");
    project.orch(&["memory", "show", "chrun"]).exits(2).says("`orch memory show` all types");
}
