//! Beside ALMA's own server, `alma-memory`: one client configuration, one project, one `.alma/config.yaml`.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::client::Project;
use crate::install;
use crate::python::CLIENTS;

/// ALMA's SQLite storage needs numpy without saying so.
const ALMA: [&str; 2] = ["alma-memory==0.11.0", "numpy==2.4.6"];

const CONFIG: &str = "alma:
  project_id: shop
  storage: sqlite
  storage_dir: .alma
  db_name: alma.db
  embedding_provider: mock
  agents:
    helena:
      can_learn: [form_testing]
orchestration:
  project: shop
";

/// What one client sees of a project with ALMA, and with orch beside it or not.
fn seen(with_orch: bool) -> Value {
    let project = Project::new(&[("helena", "Tests forms")]);
    fs::create_dir(project.path().join(".alma")).unwrap();
    fs::write(project.path().join(".alma/config.yaml"), CONFIG).unwrap();
    let alma = install::python("alma-memory", &ALMA);
    let args = ["-m", "alma.mcp", "--config", ".alma/config.yaml"];
    let mut servers = json!({ "alma-memory": { "command": alma, "args": args } });
    if with_orch {
        servers["alma-orchestration"] =
            json!({ "command": env!("CARGO_BIN_EXE_orch-mcp"), "args": [] });
    }
    let client = json!({ "mcpServers": servers });
    fs::write(project.path().join(".mcp.json"), client.to_string()).unwrap();

    let mut command = Command::new(install::python("python-clients", &CLIENTS));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/beside_alma.py"));
    command.current_dir(project.path()).env("HOME", project.path());
    serde_json::from_str(install::run(&mut command).trim()).unwrap()
}

fn names(tools: &Value) -> Vec<&str> {
    tools.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

#[test]
fn alma_answers_beside_orch_as_it_does_alone() {
    let (alone, beside) = (seen(false), seen(true));
    assert_eq!(beside["status"], "completed");
    assert_eq!(beside["left_alone"], true, "a call of orch changed ALMA's file");
    assert_eq!(alone["answers"], beside["answers"]);
    assert_eq!(alone["answers"][0]["learned"], true, "{alone}");
    assert_eq!(alone["tables"], beside["tables"]);
    assert_eq!(beside["tables"]["outcomes"], 4, "{beside}");

    let (theirs, ours) = (names(&beside["alma_tools"]), names(&beside["orch_tools"]));
    assert_eq!((theirs.len(), ours.len()), (16, 5));
    assert!(theirs.iter().all(|name| !ours.contains(name)), "{theirs:?} {ours:?}");
}
