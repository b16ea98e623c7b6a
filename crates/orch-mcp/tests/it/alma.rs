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
";

/// What one client sees of a project with ALMA, and with orch beside it or not, which may be first.
fn seen(orch: Option<&str>, is_first: bool) -> Value {
    let project = Project::new(&[("helena", "Tests forms")]);
    fs::create_dir(project.path().join(".alma")).unwrap();
    fs::write(project.path().join(".alma/config.yaml"), CONFIG).unwrap();
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

    let mut command = Command::new(install::python("python-clients", &CLIENTS));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/beside_alma.py"));
    command.args(is_first.then_some("first"));
    command.current_dir(project.path()).env("HOME", project.path());
    serde_json::from_str(install::run(&mut command).trim()).unwrap()
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
