//! The MCP Python SDK against the real binary, in both eras of the protocol. It is installed once, from the registry; where
//! that is not possible the test fails and says so.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::client::Project;

const SDK: &str = "mcp==2.3.0";

/// Returns the Python of an environment that has the SDK.
fn python() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(SDK.replace("==", "-"));
    let python = folder.join("bin/python");
    let installed = folder.join("installed");
    if !installed.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", SDK]));
        std::fs::write(installed, SDK).unwrap();
    }
    python
}

#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?} failed; this test needs {SDK}\n{out}\n{err}");
    out.into_owned()
}

#[test]
fn the_python_sdk_plays_a_run_in_both_eras() {
    let python = python();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/loop.py");
    for (mode, version) in [("legacy", "2025-11-25"), ("auto", "2026-07-28")] {
        let project = Project::new(&[("reviewer", "Reviews code")]);
        let mut command = Command::new(&python);
        command.arg(&script).args([env!("CARGO_BIN_EXE_orch-mcp"), mode]);
        command.current_dir(project.path()).env("HOME", project.path());
        let seen: Value = serde_json::from_str(run(&mut command).trim()).unwrap();
        let expected = json!({
            "version": version, "tools": 5, "reports": 3, "status": "completed",
            "output": { "a": "result of a", "b": "result of b", "sum": "result of sum" },
        });
        assert_eq!(seen, expected, "{mode}");
    }
}
