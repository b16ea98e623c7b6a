//! What no good client sends: each gets a proper error or nothing, and the server goes on.

use serde_json::{Value, json};

use crate::client::{Client, Project};

/// What a server may answer.
enum Expected {
    /// Nothing that is tied to a request; an error to nobody is allowed.
    Ignored,
    /// A JSON-RPC error to request 7.
    Error,
    /// A tool result with `isError` to request 7, whose sentence contains this.
    Refused(&'static str),
}

use Expected::{Error, Ignored, Refused};

fn call(tool: &str, arguments: Value) -> Vec<u8> {
    line(
        json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": { "name": tool, "arguments": arguments } }),
    )
}

fn line(message: Value) -> Vec<u8> {
    format!("{message}\n").into_bytes()
}

fn nested(depth: usize) -> Vec<u8> {
    let deep = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    format!("{{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{{\"name\":\"alma_report_subtask\",\"arguments\":{{\"result\":{deep}}}}}}}\n").into_bytes()
}

fn cases(run: &str, attempt: &str) -> Vec<(&'static str, Vec<u8>, Expected)> {
    let report = |more: Value| {
        let mut all = json!({ "orchestration_id": run, "subtask_id": "a" });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call("alma_report_subtask", all)
    };
    let forged = format!("{}-{:016x}", attempt.split('-').next().unwrap(), 0x1234);
    let huge = |bytes: usize| [vec![b'x'; bytes], b"\n".to_vec()].concat();
    vec![
        ("an empty line", b"\n".to_vec(), Ignored),
        ("no JSON", b"hello\n".to_vec(), Ignored),
        ("half a message", b"{\"jsonrpc\":\"2.0\",\"id\":7,\n".to_vec(), Ignored),
        ("a header of another framing", b"Content-Length: 5\r\n\r\n".to_vec(), Ignored),
        (
            "invalid UTF-8",
            b"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"\xff\"}\n".to_vec(),
            Ignored,
        ),
        ("NUL bytes", b"\0\0\0\n".to_vec(), Ignored),
        ("a number", b"5\n".to_vec(), Ignored),
        ("null", b"null\n".to_vec(), Ignored),
        ("a text", b"\"initialize\"\n".to_vec(), Ignored),
        ("an empty object", b"{}\n".to_vec(), Ignored),
        ("an empty batch", b"[]\n".to_vec(), Ignored),
        ("a batch", line(json!([{ "jsonrpc": "2.0", "id": 7, "method": "ping" }])), Ignored),
        ("another version", line(json!({ "jsonrpc": "1.0", "id": 7, "method": "ping" })), Ignored),
        ("a line of 1 MB", huge(1 << 20), Ignored),
        ("a line of 64 MB", huge(64 << 20), Ignored),
        ("nesting of 100,000", nested(100_000), Ignored),
        (
            "an answer to nothing",
            line(json!({ "jsonrpc": "2.0", "id": 99, "result": {} })),
            Ignored,
        ),
        (
            "an unknown notification",
            line(json!({ "jsonrpc": "2.0", "method": "notifications/none" })),
            Ignored,
        ),
        (
            "the end of no request",
            line(
                json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 12345 } }),
            ),
            Ignored,
        ),
        (
            "an unknown method",
            line(json!({ "jsonrpc": "2.0", "id": 7, "method": "no/such" })),
            Error,
        ),
        (
            "a call without a name",
            line(json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {} })),
            Error,
        ),
        (
            "a call without parameters",
            line(json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call" })),
            Error,
        ),
        (
            "arguments that are a list",
            line(
                json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": { "name": "alma_delegate_task", "arguments": [1] } }),
            ),
            Error,
        ),
        ("an unknown tool", call("alma_learn", json!({})), Error),
        ("a tool without a name", call("", json!({})), Error),
        ("no arguments", call("alma_delegate_task", json!({})), Refused("missing field `task`")),
        (
            "a wrong type",
            call("alma_delegate_task", json!({ "task": [1] })),
            Refused("invalid type"),
        ),
        (
            "an unknown argument",
            call("alma_delegate_task", json!({ "task": "x", "command": ["rm"] })),
            Refused("unknown field `command`"),
        ),
        (
            "a context that is a text",
            call("alma_delegate_task", json!({ "task": "x", "context": "y" })),
            Refused("invalid type"),
        ),
        (
            "a cycle",
            call(
                "alma_delegate_task",
                json!({ "task": "x", "subtasks": [{ "id": "a", "description": "A", "dependencies": ["a"] }] }),
            ),
            Refused("Wrong subtasks"),
        ),
        (
            "a reserved id",
            call(
                "alma_delegate_task",
                json!({ "task": "x", "subtasks": [{ "id": "$plan", "description": "A" }] }),
            ),
            Refused("Wrong subtasks"),
        ),
        (
            "an id with NUL",
            call(
                "alma_delegate_task",
                json!({ "task": "x", "subtasks": [{ "id": "a\u{0}", "description": "A" }] }),
            ),
            Refused("Wrong subtasks"),
        ),
        (
            "a negative priority",
            call(
                "alma_delegate_task",
                json!({ "task": "x", "subtasks": [{ "id": "a", "description": "A", "priority": -1 }] }),
            ),
            Refused("invalid value"),
        ),
        (
            "no run",
            call("alma_orchestration_status", json!({ "orchestration_id": "../../etc/passwd" })),
            Refused("There is no orchestration"),
        ),
        (
            "another run",
            call(
                "alma_orchestration_status",
                json!({ "orchestration_id": "01890a5d-ac96-774b-bcce-b302099a8057" }),
            ),
            Refused("There is no orchestration"),
        ),
        (
            "a run with SQL",
            call(
                "alma_cancel_orchestration",
                json!({ "orchestration_id": "'; DROP TABLE orch_runs; --" }),
            ),
            Refused("There is no orchestration"),
        ),
        (
            "a huge id",
            call("alma_cancel_orchestration", json!({ "orchestration_id": "x".repeat(1 << 20) })),
            Refused("There is no orchestration"),
        ),
        (
            "a cursor beyond the end",
            call(
                "alma_orchestration_status",
                json!({ "orchestration_id": run, "cursor": "99999999999999999999" }),
            ),
            Refused("`cursor`"),
        ),
        (
            "no subtask",
            call(
                "alma_report_subtask",
                json!({ "orchestration_id": run, "subtask_id": "b", "result": 1 }),
            ),
            Refused("has no subtask"),
        ),
        ("no result", report(json!({})), Refused("Pass `result`")),
        (
            "a token of something else",
            report(json!({ "result": 1, "attempt": "1-0" })),
            Refused("exactly as it was handed out"),
        ),
        (
            "a path outside",
            report(json!({ "result_file": "../../../etc/passwd" })),
            Refused("not inside the project"),
        ),
        (
            "an absolute path",
            report(json!({ "result_file": "/etc/passwd" })),
            Refused("not inside the project"),
        ),
        (
            "a path with NUL",
            report(json!({ "result_file": "a\u{0}b" })),
            Refused("not inside the project"),
        ),
        ("a link out", report(json!({ "result_file": "link" })), Refused("not inside the project")),
        ("a folder", report(json!({ "result_file": "." })), Refused("no regular file")),
        (
            "a device",
            report(json!({ "result_file": "/dev/zero" })),
            Refused("not inside the project"),
        ),
        (
            "a file that is not there",
            report(json!({ "result_file": "nothing.md" })),
            Refused("cannot be read"),
        ),
        (
            "an endless lease",
            call("alma_claim_subtask", json!({ "orchestration_id": run, "slots": -1 })),
            Refused("invalid value"),
        ),
        // Answered, but not accepted: the last check below finds the subtask still open.
        ("a forged attempt", report(json!({ "result": "forged", "attempt": forged })), Refused("")),
    ]
}

#[test]
fn the_server_goes_on_after_each() {
    let project = Project::new(&[("reviewer", "Reviews code")]);
    std::os::unix::fs::symlink("/etc/hostname", project.path().join("link")).unwrap();
    let mut client = Client::start(&project);
    let subtasks = json!([{ "id": "a", "description": "Review the code" }]);
    let answer = client.ok("alma_delegate_task", json!({ "task": "Review", "subtasks": subtasks }));
    let run = answer["orchestration_id"].as_str().unwrap();
    let attempt = answer["ready"][0]["attempt"].as_str().unwrap();
    let cases = cases(run, attempt);
    assert!(cases.len() >= 40, "{}", cases.len());
    for (name, bytes, expected) in cases {
        client.raw(&bytes);
        match expected {
            Ignored => {}
            Error => {
                let answer = client.receive();
                assert!(answer.get("error").is_some(), "{name}: {answer}");
                assert!(answer["id"] == 7 || answer["id"].is_null(), "{name}: {answer}");
            }
            Refused(sentence) => {
                let answer = client.receive();
                assert_eq!(answer["id"], 7, "{name}: {answer}");
                let content = &answer["result"]["structuredContent"];
                assert_eq!(content["success"], false, "{name}: {answer}");
                let said = content["error"].as_str().unwrap_or_default();
                assert!(said.contains(sentence), "{name}: {said}");
                assert!(said.len() < 4_096, "{name}: {}", said.len());
            }
        }
        let status = client.ok("alma_orchestration_status", json!({ "orchestration_id": run }));
        assert_eq!(status["counts"]["running"], 1, "after {name}: {status}");
    }
    let report =
        json!({ "orchestration_id": run, "subtask_id": "a", "attempt": attempt, "result": "fine" });
    assert_eq!(client.ok("alma_report_subtask", report)["status"], "completed");
    let (well, rest) = client.close();
    assert!(well && rest.is_empty(), "{rest:?}");
}

/// Ids are the client's to keep apart; of two requests with one id in flight at once rmcp answers one or both.
#[test]
fn one_id_twice_is_answered_and_the_server_goes_on() {
    let project = Project::new(&[]);
    let mut client = Client::start(&project);
    client.raw(&call("alma_orchestration_status", json!({})));
    client.raw(&call("alma_orchestration_status", json!({})));
    assert_eq!(client.receive()["id"], 7);
    let last = json!({ "jsonrpc": "2.0", "id": 8, "method": "tools/list" });
    client.raw(&line(last));
    let mut next = client.receive();
    if next["id"] == 7 {
        next = client.receive();
    }
    assert_eq!(next["id"], 8);
}

#[test]
fn a_client_that_goes_without_a_word_leaves_no_server() {
    let project = Project::new(&[]);
    let (_, rest) = Client::silent(&project).close();
    assert!(rest.is_empty(), "{rest:?}");
}
