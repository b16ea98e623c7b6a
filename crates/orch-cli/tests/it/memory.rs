//! What was learned, as a person sees it and decides about it.

use serde_json::Value;

use crate::support::{Project, WORKERS};

const TASK: &str = "description: Nap and fail\ntask_type: nap\nsubtasks:\n  - { id: a, task_type: sleep, description: Nap, context: { seconds: 0 } }\n  - { id: b, task_type: fail, description: Fail, required: false }\n";

fn json(project: &Project, arguments: &[&str]) -> Value {
    let output = project.orch(&[&["--json"], arguments].concat());
    serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

#[test]
fn runs_teach_rules_that_a_person_reads_and_decides_about() {
    let project = Project::with_workers(TASK);
    for _ in 0..3 {
        project.orch(&["run", "task.yaml"]);
    }
    let stats = json(&project, &["memory", "stats"]);
    assert_eq!((&stats["outcomes"], &stats["workers"]), (&6.into(), &2.into()), "{stats}");

    let list = project.orch(&["memory", "list"]).stdout;
    assert_eq!(list.lines().count(), 3, "{list}");
    assert!(
        list.contains("When a subtask is of type `sleep`: `sleeper` is the only one who has tried"),
        "{list}"
    );
    let rules = json(&project, &["memory", "list"]);
    let id = rules["rules"][0]["heuristic"]["id"].as_str().unwrap().to_owned();
    let forbidden = project.orch(&["memory", "forbid", &id, "--note", "never"]).stdout;
    assert!(
        forbidden.contains("[forbidden]") && forbidden.contains("because: never"),
        "{forbidden}"
    );
    assert!(!project.orch(&["memory", "release", &id]).stdout.contains("[forbidden]"));
    let unknown = project.orch(&["memory", "show", "nothing"]);
    assert_eq!(unknown.code, 2, "{unknown:?}");

    assert_eq!(project.orch(&["feedback", "--score", "0.2", "--note", "dull"]).code, 0);
    for wrong in ["7", "-0.1", "NaN", "good"] {
        let refused = project.orch(&["feedback", &format!("--score={wrong}")]).exits(2);
        refused.says("from 0 to 1");
    }

    assert_eq!(project.orch(&["memory", "export", "out.jsonl"]).code, 0);
    assert_eq!(json(&project, &["memory", "import", "out.jsonl"])["runs"], 0, "all is known");

    let dry = project.orch(&["memory", "forget", "--worker", "sleeper"]).stdout;
    assert!(
        dry.contains("would be forgotten: 1 records of workers") && dry.contains("--yes"),
        "{dry}"
    );
    assert_eq!(json(&project, &["memory", "stats"])["workers"], 2);
    project.orch(&["memory", "forget", "--worker", "sleeper", "--yes"]);
    assert_eq!(json(&project, &["memory", "stats"])["workers"], 1);
    assert_eq!(project.orch(&["memory", "forget"]).code, 2);
    assert_eq!(project.orch(&["memory", "vacuum"]).code, 0);
}

#[test]
fn what_people_think_of_outputs_decides_who_works_next() {
    let worker = |name: &str| {
        format!(
            "  {name}: {{ command: [cat], capabilities: [{{ name: read, task_types: [read] }}] }}\n"
        )
    };
    let config = format!("workers:\n{}{}", worker("ann"), worker("bob"));
    let task = |constraints: &str| {
        format!(
            "description: Read\nsubtasks: [{{ id: a, task_type: read, description: Read{constraints} }}]\n"
        )
    };
    let project = Project::new(&[
        ("orch.yaml", &config),
        ("ann.yaml", &task(", constraints: { require_worker: ann }")),
        ("bob.yaml", &task(", constraints: { require_worker: bob }")),
        ("any.yaml", &task("")),
    ]);
    for (task, score) in [("ann.yaml", "0"), ("bob.yaml", "1")] {
        project.orch(&["run", task]).exits(0);
        project.orch(&["feedback", "--score", score]).exits(0);
    }
    let done = json(&project, &["run", "any.yaml"]);
    assert_eq!(
        done["subtask_results"][0]["worker_name"], "bob",
        "ann is first in the file: {done}"
    );
}

#[test]
fn pinned_rules_are_listed_first() {
    let project = Project::with_workers(TASK);
    for _ in 0..3 {
        project.orch(&["run", "task.yaml"]);
    }
    let list = project.orch(&["memory", "list"]).stdout;
    let last = list.lines().last().unwrap();
    let id = last.split_whitespace().next().unwrap();
    project.orch(&["memory", "pin", id]).exits(0);
    let list = project.orch(&["memory", "list"]).stdout;
    assert!(list.starts_with(&format!("{id}  pinned  ")), "{last}\n{list}");
    assert_eq!(list.matches("pinned").count(), 1, "{list}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let project = Project::with_workers(TASK);
    project.orch(&["run", "task.yaml"]);
    for command in ["export", "import"] {
        let done = project.orch(&["memory", command, "no/such/file"]).exits(2);
        done.says("cannot open no/such/file: No such file or directory");
    }
}

#[test]
fn every_command_about_memory_has_examples() {
    let project = Project::with_workers(TASK);
    for command in [
        "stats", "list", "show", "pin", "forbid", "release", "export", "import", "forget", "vacuum",
    ] {
        let help = project.orch(&["memory", command, "--help"]).stdout;
        assert!(help.contains(&format!("Examples:\n  orch memory {command}")), "{help}");
    }
    let help = project.orch(&["feedback", "--help"]).stdout;
    assert!(help.contains("Examples:\n  orch feedback"), "{help}");
}

#[test]
fn nothing_is_forgotten_unless_it_is_said_what() {
    let project = Project::with_workers(TASK);
    project.orch(&["run", "task.yaml"]);
    for alone in ["--yes", "--dry-run"] {
        let refused = project.orch(&["memory", "forget", alone]);
        assert_eq!(refused.code, 2, "{alone}: {refused:?}");
    }
    assert_eq!(json(&project, &["memory", "stats"])["workers"], 2);
    let dry = project.orch(&["memory", "forget", "--all", "--dry-run"]).stdout;
    assert!(dry.contains("would be forgotten: 2 records of workers"), "{dry}");
    let done = project.orch(&["memory", "forget", "--all", "--yes"]).stdout;
    assert!(done.starts_with("forgotten: 2 records of workers"), "{done}");
    assert_eq!(json(&project, &["memory", "stats"])["workers"], 0);
}

#[test]
fn memory_in_almas_file_is_there_and_nowhere_else() {
    let project = Project::with_workers(TASK);
    project.write(".alma/config.yaml", "alma: { project_id: shop, storage: sqlite }\n");
    project.write("orch.yaml", &format!("memory: {{ store: alma }}\n{WORKERS}"));
    let plan = json(&project, &["plan", "task.yaml"]);
    let file = project.path().join(".alma/alma.db");
    assert!(!file.exists(), "what is only read is not made: {plan}");

    project.orch(&["run", "task.yaml"]);
    let stats = json(&project, &["memory", "stats"]);
    assert_eq!((&stats["project"], &stats["outcomes"]), (&"shop".into(), &2.into()), "{stats}");
    assert_eq!(stats["file"], file.to_str().unwrap(), "{stats}");
    let text = project.orch(&["memory", "stats"]).stdout;
    assert!(text.contains(".alma/alma.db, the file of ALMA\n"), "{text}");
    assert!(
        text.contains(
            ".alma/config.yaml; no worker is told what it knows, as none has `memory_tokens`, it is not told"
        ),
        "{text}"
    );
    assert_eq!(stats["alma"]["readers"], 0);
    assert_eq!(
        (&stats["alma"]["project_id"], &stats["alma"]["read"]),
        (&"shop".into(), &true.into())
    );
    project.orch(&["memory", "vacuum"]).exits(2).says("end ALMA, and run `sqlite3");

    let hands =
        "  hand: { pull: true, capabilities: [{ name: x, task_types: [x] }], memory_tokens: 9 }\n";
    project.write("orch.yaml", &format!("{WORKERS}{hands}"));
    let agent = "---\nname: aide\ndescription: Helps\nx-orch:\n  memory_tokens: 9\n---\nHelp.\n";
    project.write(".claude/agents/aide.md", agent);
    let text = project.orch(&["memory", "stats"]).stdout;
    assert!(
        text.contains("config.yaml; 2 workers are told what it knows, it is not told"),
        "{text}"
    );
    project.write("orch.yaml", WORKERS);
    assert_eq!(json(&project, &["memory", "stats"])["file"], project.store().to_str().unwrap());
}

/// Those of ALMA's tables that are written to, with the columns that are.
const ALMA_TABLES: &str = "import sqlite3
for statement in [
    'create table outcomes (id text primary key, agent, project_id, task_type, task_description, success, strategy_used, '
    'duration_ms, timestamp, metadata)',
    'create table workflow_outcomes (id text primary key, workflow_id, run_id, agent, project_id, result, summary, '
    'strategies_used, successful_patterns, failed_patterns, extracted_heuristics, extracted_anti_patterns, '
    'duration_seconds, node_count, error_message, metadata, created_at)',
    'create table embeddings (id integer primary key, memory_type, memory_id, embedding, unique (memory_type, memory_id))',
]:
    sqlite3.connect('.alma/alma.db').execute(statement)
";

#[test]
fn stats_say_what_alma_was_told_and_what_it_cannot_find() {
    for (provider, expected) in [
        ("mock", "it was told 2 outcomes of theirs\n"),
        ("local", "2 outcomes of theirs, of which it does not find 2 until it has embedded them"),
    ] {
        let project = Project::with_workers(TASK);
        let alma = format!(
            "alma: {{ project_id: shop, storage: sqlite, embedding_provider: {provider} }}\n"
        );
        project.write(".alma/config.yaml", &alma);
        project.write("orch.yaml", &format!("memory: {{ alma: {{ write: true }} }}\n{WORKERS}"));
        let mut python = std::process::Command::new("python3");
        let made = python.args(["-c", ALMA_TABLES]).current_dir(project.path()).status().unwrap();
        assert!(made.success());
        project.orch(&["run", "task.yaml"]);
        let text = project.orch(&["memory", "stats"]).stdout;
        assert!(text.contains(expected), "{text}");
        let stats = json(&project, &["memory", "stats"]);
        assert_eq!(stats["alma"]["written"]["outcomes"], 2, "{stats}");
    }
}
