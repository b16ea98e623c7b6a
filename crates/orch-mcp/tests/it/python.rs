//! Python clients against the real binary: the MCP SDK in both eras of the protocol, and fastmcp.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::client::Project;
use crate::http_server::HttpServer;
use crate::install;

/// One environment for all: each test starts one process in it that plays many runs.
pub(crate) const CLIENTS: [&str; 2] = ["mcp==2.3.0", "fastmcp==4.2.3"];

/// Plays a script in each mode against a server: its command, or its address.
fn play(project: &Project, script: &str, server: &str, modes: &[&str]) -> Value {
    let mut command = Command::new(install::python("python-clients", &CLIENTS));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(script));
    command.arg(server).args(modes).current_dir(project.path()).env("HOME", project.path());
    serde_json::from_str(install::run(&mut command).trim()).unwrap()
}

/// What is seen of a run that went well.
fn played(version: Option<&str>) -> Value {
    json!({
        "version": version, "tools": 5, "reports": 3, "status": "completed",
        "output": { "a": "result of a", "b": "result of b", "sum": "result of sum" },
    })
}

#[test]
fn the_sdk_and_fastmcp_play_runs_over_stdio() {
    let project = Project::new(&[("reviewer", "Reviews code")]);
    let seen =
        play(&project, "loop.py", env!("CARGO_BIN_EXE_orch-mcp"), &["legacy", "auto", "fastmcp"]);
    let expected = json!({
        "legacy": played(Some("2025-11-25")),
        "auto": played(Some("2026-07-28")),
        "fastmcp": played(None),
    });
    assert_eq!(seen, expected);
}

#[test]
fn the_sdk_waits_for_a_managed_run_and_hears_of_its_progress() {
    let project = Project::new(&[]);
    let config = r#"
workers:
  echo:
    command: [echo, "said {{ subtask.id }}"]
    capabilities: [{ name: say, task_types: [say] }]
"#;
    std::fs::write(project.path().join("orch.yaml"), config).unwrap();
    let seen = play(&project, "wait.py", env!("CARGO_BIN_EXE_orch-mcp"), &["legacy", "auto"]);
    let expected = json!({
        "planned": ["planned as 2 subtasks"], "last": [2.0, 2.0], "status": "completed",
        "output": { "a": "said a", "b": "said b" },
    });
    assert_eq!(seen, json!({ "legacy": expected, "auto": expected }));
}

#[test]
fn the_sdk_and_fastmcp_play_runs_over_http() {
    let project = Project::new(&[("reviewer", "Reviews code")]);
    let server = HttpServer::start(&project, &[]);
    let seen = play(&project, "loop.py", &server.url(), &["legacy", "auto", "fastmcp"]);
    let expected = json!({
        "legacy": played(Some("2025-11-25")),
        "auto": played(Some("2026-07-28")),
        "fastmcp": played(None),
    });
    assert_eq!(seen, expected);
    assert!(server.stop().0.success());
}
