//! Beside ALMA's own server, `alma-memory`: one client configuration, one project, one `.alma/config.yaml`.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::client::{Client, Project};
use crate::install;
use crate::python::CLIENTS;

/// ALMA's SQLite storage needs numpy without saying so.
pub(crate) const ALMA: [&str; 2] = ["alma-memory==0.11.0", "numpy==2.4.6"];

/// ALMA's configuration of a project, by what it keeps its memory in.
fn config(storage: &str) -> String {
    format!(
        "alma:
  project_id: shop
  storage: {storage}
  storage_dir: .alma
  db_name: alma.db
  embedding_provider: mock
  agents:
    helena:
      can_learn: [form_testing]
"
    )
}

/// A project with ALMA.
pub(crate) fn project(storage: &str) -> Project {
    let project = Project::new(&[("helena", "Tests forms")]);
    fs::create_dir(project.path().join(".alma")).unwrap();
    fs::write(project.path().join(".alma/config.yaml"), config(storage)).unwrap();
    project
}

/// Plays a script with a Python that has certain packages.
fn python(project: &Project, python: &Path, script: &str, args: &[&str]) -> String {
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(script));
    command.args(args).current_dir(project.path()).env("HOME", project.path());
    install::run(&mut command)
}

/// What one client sees of a project with ALMA, and with orch beside it or not, which may be first.
fn seen(orch: Option<&str>, is_first: bool) -> Value {
    let project = project("sqlite");
    let alma = install::python("alma-memory", &ALMA);
    let args = ["-m", "alma.mcp", "--config", ".alma/config.yaml"];
    let mut servers = json!({ "alma-memory": { "command": alma, "args": args } });
    if let Some(config) = orch {
        fs::write(project.path().join("orch.yaml"), config).unwrap();
        servers["alma-orchestration"] =
            json!({ "command": env!("CARGO_BIN_EXE_orch-mcp"), "args": [] });
    }
    let client = json!({ "mcpServers": servers });
    fs::write(project.path().join(".mcp.json"), client.to_string()).unwrap();

    let clients = install::python("python-clients", &CLIENTS);
    let args: &[&str] = if is_first { &["first"] } else { &[] };
    serde_json::from_str(python(&project, &clients, "beside_alma.py", args).trim()).unwrap()
}

fn names(tools: &Value) -> Vec<&str> {
    tools.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

#[test]
fn alma_answers_beside_orch_as_it_does_alone() {
    let alone = seen(None, false);
    assert_eq!(alone["answers"][0]["learned"], true, "{alone}");
    assert_eq!(alone["tables"]["outcomes"], 64, "{alone}");
    assert_eq!(alone["tables"]["checkpoints"], 4, "{alone}");

    let shared = "memory: { store: alma }\n";
    for (config, is_first) in [("", false), (shared, false), (shared, true)] {
        let beside = seen(Some(config), is_first);
        assert_eq!(beside["statuses"], json!(["completed"]));
        assert_eq!(alone["answers"], beside["answers"], "{config:?}");
        assert_eq!(alone["tables"], beside["tables"], "{config:?}");
        let ours = names(&beside["our_tables"]);
        if config == shared {
            assert!(ours.contains(&"orch_folded") && !ours.contains(&"orch_events"), "{ours:?}");
        } else {
            assert!(ours.is_empty(), "{ours:?}");
            assert_eq!(beside["left_alone"], true, "a call of orch changed ALMA's file");
        }
        let (theirs, ours) = (names(&beside["alma_tools"]), names(&beside["orch_tools"]));
        assert_eq!((theirs.len(), ours.len()), (16, 5));
        assert!(theirs.iter().all(|name| !ours.contains(name)), "{theirs:?} {ours:?}");
    }
}

#[test]
fn a_worker_is_told_what_alma_knows() {
    let worker = "
workers:
  helena:
    command: [cat]
    output: json
    memory_tokens: 1000
    capabilities: [{ name: forms, task_types: [form_testing] }]
";
    let told = json!({
        "heuristics": ["task type: form_testing: fill fields then submit"],
        "outcomes": [
            "Failed: test the login form (press the login button twice): sent it twice",
            "Succeeded: test the login form (fill fields then submit)",
        ],
        "preferences": ["Short answers."],
        "domain_knowledge": ["form_testing: the login form has a captcha"],
        "anti_patterns": ["press the login button twice: sent it twice"],
    });
    for storage in ["sqlite", "file"] {
        for (memory, expected) in
            [("", &told), ("memory: { store: orch, alma: { read: false } }", &json!({}))]
        {
            let project = project(storage);
            let alma = install::python("alma-memory", &ALMA);
            python(&project, &alma, "alma_learns.py", &[]);
            fs::write(project.path().join("orch.yaml"), format!("{memory}\n{worker}")).unwrap();
            let mut client = Client::start_with(&project, &["--trust"]);
            let answer = client.ok(
                "alma_delegate_task",
                json!({
                    "task": "Test the shop", "mode": "managed",
                    "subtasks": [{ "id": "a", "description": "test the login form", "task_type": "form_testing" }],
                }),
            );
            let status = json!({ "orchestration_id": answer["orchestration_id"], "wait_s": 25 });
            let answer = client.ok("alma_orchestration_status", status);
            let slice = &answer["aggregated_output"]["memory_slice"];
            for (kind, entries) in told.as_object().unwrap() {
                let expected = expected.get(kind).unwrap_or(&json!([])).clone();
                assert_eq!(slice[kind], expected, "{storage}: {kind} of {entries}: {answer}");
            }
        }
    }
}
