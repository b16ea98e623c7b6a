//! `orch-mcp install`: what clients need, printed or merged into their files.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::client::{Client, Project};

const EXE: &str = env!("CARGO_BIN_EXE_orch-mcp");

fn install(project: &Path, args: &[&str]) -> Output {
    Command::new(EXE).arg("install").args(args).current_dir(project).output().unwrap()
}

fn json_of(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn nothing_is_written_unless_asked_for() {
    let project = tempfile::tempdir().unwrap();
    let done = install(project.path(), &["--client", "claude"]);
    assert!(done.status.success());
    let out = text(&done.stdout);
    for part in [".mcp.json", EXE, "mcp__alma-orchestration__alma_delegate_task", "--write"] {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert_eq!(fs::read_dir(project.path()).unwrap().count(), 0);
    assert!(!install(project.path(), &["--client", "emacs"]).status.success());
}

#[test]
fn what_is_there_stays_and_twice_is_once() {
    let project = tempfile::tempdir().unwrap();
    let path = |name: &str| project.path().join(name);
    fs::create_dir(path(".claude")).unwrap();
    let memory = json!({ "command": "python", "args": ["-m", "alma.mcp"] });
    fs::write(path(".mcp.json"), json!({ "mcpServers": { "alma-memory": memory } }).to_string())
        .unwrap();
    let settings = json!({ "model": "opus", "permissions": { "allow": ["Bash(ls)"], "deny": ["Read(.env)"] } });
    fs::write(path(".claude/settings.json"), settings.to_string()).unwrap();

    let first = install(project.path(), &["--client", "claude", "--write"]);
    assert!(first.status.success(), "{}", text(&first.stderr));
    let servers = json_of(&path(".mcp.json"));
    assert_eq!(servers["mcpServers"]["alma-memory"], memory);
    assert_eq!(servers["mcpServers"]["alma-orchestration"], json!({ "command": EXE, "args": [] }));
    let settings = json_of(&path(".claude/settings.json"));
    assert_eq!(settings["model"], "opus");
    assert_eq!(settings["permissions"]["deny"], json!(["Read(.env)"]));
    let allow: Vec<&str> = settings["permissions"]["allow"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l.as_str().unwrap())
        .collect();
    // Every tool of the server, by the name that the client gives it.
    let asked = Project::new(&[]);
    let mut client = Client::start(&asked);
    let tools = client.request("tools/list", json!({}))["result"]["tools"].clone();
    let mut expected = vec!["Bash(ls)".to_owned()];
    let names = tools.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap());
    expected.extend(names.map(|name| format!("mcp__alma-orchestration__{name}")));
    let (mut allow, mut expected) =
        (allow, expected.iter().map(String::as_str).collect::<Vec<_>>());
    allow.sort_unstable();
    expected.sort_unstable();
    assert_eq!(allow, expected);

    let before = fs::read_to_string(path(".claude/settings.json")).unwrap();
    let second = install(project.path(), &["--client", "claude", "--write"]);
    assert_eq!(text(&second.stdout).matches("has it already").count(), 2);
    assert_eq!(fs::read_to_string(path(".claude/settings.json")).unwrap(), before);
    assert_eq!(fs::read_dir(project.path()).unwrap().count(), 2, "nothing is left beside");

    let vscode = install(project.path(), &["--client", "vscode", "--write"]);
    assert!(vscode.status.success());
    let server = json!({ "type": "stdio", "command": EXE, "args": [] });
    assert_eq!(
        json_of(&path(".vscode/mcp.json")),
        json!({ "servers": { "alma-orchestration": server } })
    );
}

#[test]
fn a_file_that_cannot_be_merged_is_left_and_so_are_the_others() {
    for (name, bad) in [
        (".claude/settings.json", "{ // a comment\n}"),
        (".claude/settings.json", "[]"),
        (".claude/settings.json", r#"{ "permissions": { "allow": "all" } }"#),
        (".mcp.json", r#"{ "mcpServers": [] }"#),
    ] {
        let project = tempfile::tempdir().unwrap();
        fs::create_dir(project.path().join(".claude")).unwrap();
        fs::write(project.path().join(name), bad).unwrap();
        let done = install(project.path(), &["--client", "claude", "--write"]);
        assert!(!done.status.success(), "{bad}");
        assert!(text(&done.stderr).contains(name), "{}", text(&done.stderr));
        assert_eq!(fs::read_to_string(project.path().join(name)).unwrap(), bad);
        let other = if name == ".mcp.json" { ".claude/settings.json" } else { ".mcp.json" };
        assert!(!project.path().join(other).exists(), "{bad}");
    }
}
