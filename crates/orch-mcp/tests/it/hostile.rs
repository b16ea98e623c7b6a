//! What no good client sends: each gets a proper error, or nothing where an answer must not be, and the server goes on.

use serde_json::{Value, json};

use crate::client::{Client, Project};

/// What a server may answer.
enum Expected {
    /// Nothing.
    Ignored,
    /// An error with this code to nobody: what was sent is no message, or one without a readable id.
    NoMessage(i64),
    /// An error with this code to request 7.
    Error(i64),
    /// A tool result with `isError` to request 7, whose sentence contains this.
    Refused(&'static str),
}

use Expected::{Error, Ignored, NoMessage, Refused};

const PARSE_ERROR: i64 = -32_700;
const INVALID_REQUEST: i64 = -32_600;
const NO_METHOD: i64 = -32_601;
const INVALID_PARAMS: i64 = -32_602;

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
    let own = |name: &str| format!(".orch/runs/{run}/{name}");
    let huge = |bytes: usize| [vec![b'x'; bytes], b"\n".to_vec()].concat();
    vec![
        ("an empty line", b"\n".to_vec(), Ignored),
        ("no JSON", b"hello\n".to_vec(), NoMessage(PARSE_ERROR)),
        ("half a message", b"{\"jsonrpc\":\"2.0\",\"id\":7,\n".to_vec(), NoMessage(PARSE_ERROR)),
        (
            "a header of another framing",
            b"Content-Length: 5\r\n\r\n".to_vec(),
            NoMessage(PARSE_ERROR),
        ),
        (
            "invalid UTF-8",
            b"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"\xff\"}\n".to_vec(),
            NoMessage(PARSE_ERROR),
        ),
        ("NUL bytes", b"\0\0\0\n".to_vec(), NoMessage(PARSE_ERROR)),
        ("a number", b"5\n".to_vec(), NoMessage(INVALID_REQUEST)),
        ("null", b"null\n".to_vec(), NoMessage(INVALID_REQUEST)),
        ("a text", b"\"initialize\"\n".to_vec(), NoMessage(INVALID_REQUEST)),
        ("an empty object", b"{}\n".to_vec(), NoMessage(INVALID_REQUEST)),
        ("an empty batch", b"[]\n".to_vec(), NoMessage(INVALID_REQUEST)),
        (
            "a batch",
            line(json!([{ "jsonrpc": "2.0", "id": 7, "method": "ping" }])),
            NoMessage(INVALID_REQUEST),
        ),
        (
            "another version",
            line(json!({ "jsonrpc": "1.0", "id": 7, "method": "ping" })),
            Error(INVALID_REQUEST),
        ),
        ("a line of 1 MB", huge(1 << 20), NoMessage(PARSE_ERROR)),
        ("a line of 64 MB", huge(64 << 20), NoMessage(INVALID_REQUEST)),
        ("nesting of 100,000", nested(100_000), NoMessage(PARSE_ERROR)),
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
            Error(NO_METHOD),
        ),
        (
            "a call without a name",
            line(json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {} })),
            Error(INVALID_PARAMS),
        ),
        (
            "a call without parameters",
            line(json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call" })),
            Error(INVALID_PARAMS),
        ),
        (
            "arguments that are a list",
            line(
                json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": { "name": "alma_delegate_task", "arguments": [1] } }),
            ),
            Error(INVALID_PARAMS),
        ),
        (
            "an id that is null",
            line(json!({ "jsonrpc": "2.0", "id": null, "method": "ping" })),
            NoMessage(INVALID_REQUEST),
        ),
        (
            "an id that is a fraction",
            line(json!({ "jsonrpc": "2.0", "id": 1.5, "method": "ping" })),
            NoMessage(INVALID_REQUEST),
        ),
        (
            "an unknown method with a name of 1 MB",
            line(json!({ "jsonrpc": "2.0", "id": 7, "method": "x".repeat(1 << 20) })),
            Error(NO_METHOD),
        ),
        (
            "hello again",
            line(json!({ "jsonrpc": "2.0", "id": 7, "method": "initialize", "params": "hello" })),
            Error(INVALID_REQUEST),
        ),
        ("an unknown tool", call("alma_learn", json!({})), Error(INVALID_PARAMS)),
        ("a tool without a name", call("", json!({})), Error(INVALID_PARAMS)),
        ("no arguments", call("alma_delegate_task", json!({})), Refused("missing field `task`")),
        (
            "a wrong type",
            call("alma_delegate_task", json!({ "task": [1] })),
            Refused("`task` must be a string, not a list"),
        ),
        (
            "an unknown argument",
            call("alma_delegate_task", json!({ "task": "x", "command": ["rm"] })),
            Refused("unknown field `command`"),
        ),
        (
            "a context that is a text",
            call("alma_delegate_task", json!({ "task": "x", "context": "y" })),
            Refused("`context` must be"),
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
            Refused("must be"),
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
            Refused("is not in the folder of this run"),
        ),
        (
            "an absolute path",
            report(json!({ "result_file": "/etc/passwd" })),
            Refused("is not in the folder of this run"),
        ),
        (
            "a path with NUL",
            report(json!({ "result_file": "a\u{0}b" })),
            Refused("is not in the folder of this run"),
        ),
        (
            "a link out",
            report(json!({ "result_file": own("link.md") })),
            Refused("not a regular file"),
        ),
        (
            "a folder",
            report(json!({ "result_file": own("folder") })),
            Refused("not a regular file"),
        ),
        (
            "a device",
            report(json!({ "result_file": "/dev/zero" })),
            Refused("is not in the folder of this run"),
        ),
        (
            "a file that is not there",
            report(json!({ "result_file": own("nothing.md") })),
            Refused("cannot be read"),
        ),
        (
            "an endless lease",
            call("alma_claim_subtask", json!({ "orchestration_id": run, "slots": -1 })),
            Refused("must be"),
        ),
        // Answered, but not accepted: the last check below finds the subtask still open.
        ("a forged attempt", report(json!({ "result": "forged", "attempt": forged })), Refused("")),
    ]
}

#[test]
fn the_server_goes_on_after_each() {
    let project = Project::new(&[("reviewer", "Reviews code")]);
    let mut client = Client::start(&project);
    let subtasks = json!([{ "id": "a", "description": "Review the code" }]);
    let answer = client.ok("alma_delegate_task", json!({ "task": "Review", "subtasks": subtasks }));
    let run = answer["orchestration_id"].as_str().unwrap();
    let attempt = answer["ready"][0]["attempt"].as_str().unwrap();
    let folder = project.path().join(".orch/runs").join(run);
    std::os::unix::fs::symlink("/etc/hostname", folder.join("link.md")).unwrap();
    std::fs::create_dir(folder.join("folder")).unwrap();
    let cases = cases(run, attempt);
    assert!(cases.len() >= 40, "{}", cases.len());
    for (name, bytes, expected) in cases {
        client.raw(&bytes);
        match expected {
            Ignored => {}
            NoMessage(code) => {
                let answer = client.receive();
                assert_eq!(answer["error"]["code"], code, "{name}: {answer}");
                assert!(answer["id"].is_null(), "{name}: {answer}");
            }
            Error(code) => {
                let answer = client.receive();
                assert_eq!(
                    (&answer["id"], &answer["error"]["code"]),
                    (&json!(7), &json!(code)),
                    "{name}: {answer}"
                );
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

/// The second gets an error while the first is open, and its own answer afterwards.
#[test]
fn two_requests_with_one_id_get_an_answer_each() {
    let project = Project::new(&[]);
    let mut client = Client::start(&project);
    for _ in 0..50 {
        let status = call("alma_orchestration_status", json!({}));
        client.raw(&[status.clone(), status].concat());
        let answers = [client.receive(), client.receive()];
        assert!(answers.iter().all(|answer| answer["id"] == 7), "{answers:?}");
        let errors: Vec<_> = answers.iter().filter_map(|answer| answer.get("error")).collect();
        assert!(errors.len() <= 1, "{answers:?}");
        assert!(errors.iter().all(|error| error["code"] == INVALID_REQUEST), "{answers:?}");
    }
    client.ok("alma_orchestration_status", json!({}));
}

#[test]
fn what_comes_before_hello_does_not_end_the_server() {
    let project = Project::new(&[]);
    let mut client = Client::silent(&project);
    client.raw(b"hello\n");
    assert_eq!(client.receive()["error"]["code"], PARSE_ERROR);
    client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    client.send(&json!({ "jsonrpc": "2.0", "id": 1, "result": {} }));
    client.raw(&call("alma_orchestration_status", json!({})));
    let early = client.receive();
    assert!(early["id"] == 7 && early.get("error").is_some(), "{early}");
    client.hello();
    client.ok("alma_orchestration_status", json!({}));
}

/// Two projects that keep their runs in one store: what is the one's does not exist for the other.
#[test]
fn runs_of_another_project_cannot_be_named() {
    let (ours, theirs) = (Project::new(&[]), Project::new(&[]));
    let store = ours.path().join("shared.db");
    for (name, project) in [("ours", &ours), ("theirs", &theirs)] {
        let text = format!("project: {name}\nstore: {}\n", store.display());
        std::fs::write(project.path().join("orch.yaml"), text).unwrap();
    }
    // The store was made by another user than the stranger, who has to say that it is to be used.
    let mut owner = Client::start(&ours);
    let mut stranger = Client::start_with(&theirs, &["--trust"]);
    let answer = owner.ok("alma_delegate_task", json!({ "task": "A secret" }));
    let run = &answer["orchestration_id"];
    let attempt = &answer["ready"][0]["attempt"];
    for (tool, more) in [
        ("alma_orchestration_status", json!({})),
        ("alma_orchestration_status", json!({ "subtask_id": "task" })),
        ("alma_report_subtask", json!({ "subtask_id": "task", "attempt": attempt, "result": 1 })),
        ("alma_claim_subtask", json!({})),
        ("alma_cancel_orchestration", json!({})),
    ] {
        let mut arguments = json!({ "orchestration_id": run });
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let refused = stranger.call(tool, arguments);
        assert_eq!(refused["isError"], true, "{tool}: {refused}");
        let said = refused["structuredContent"]["error"].as_str().unwrap();
        assert!(said.contains("There is no orchestration") && !said.contains("secret"), "{said}");
    }
    let list = stranger.ok("alma_orchestration_status", json!({}));
    assert_eq!(list["orchestrations"], json!([]));
    let report = json!({ "orchestration_id": run, "subtask_id": "task", "attempt": attempt, "result": "fine" });
    assert_eq!(owner.ok("alma_report_subtask", report)["status"], "completed");
}

/// Attempts that exist, but not for the subtask that they are given for, and mixtures of real ones.
#[test]
fn an_attempt_counts_for_its_own_subtask_only() {
    let project = Project::new(&[]);
    let mut client = Client::start(&project);
    let delegate = |client: &mut Client, task: &str| {
        let subtasks =
            json!([{ "id": "a", "description": "A" }, { "id": "b", "description": "B" }]);
        client.ok("alma_delegate_task", json!({ "task": task, "subtasks": subtasks }))
    };
    let (first, second) = (delegate(&mut client, "First"), delegate(&mut client, "Second"));
    let attempt = |answer: &Value, index: usize| {
        answer["ready"][index]["attempt"].as_str().unwrap().to_owned()
    };
    let parts = |attempt: &str| {
        let (fence, token) = attempt.split_once('-').unwrap();
        (fence.to_owned(), token.to_owned())
    };
    let (a, b) = (attempt(&first, 0), attempt(&first, 1));
    let ((fence_a, token_a), (fence_b, token_b)) = (parts(&a), parts(&b));
    for forged in [
        b.clone(),
        attempt(&second, 0),
        format!("{fence_a}-{token_b}"),
        format!("{fence_b}-{token_a}"),
        format!("99-{token_a}"),
        format!("{fence_a}-{:016x}", 0),
    ] {
        let report = json!({
            "orchestration_id": first["orchestration_id"], "subtask_id": "a", "attempt": forged, "result": "forged",
        });
        let answer = client.call("alma_report_subtask", report);
        assert_eq!(answer["structuredContent"]["success"], false, "{forged}: {answer}");
    }
    for (subtask, attempt) in [("a", a), ("b", b)] {
        let report = json!({
            "orchestration_id": first["orchestration_id"], "subtask_id": subtask, "attempt": attempt, "result": subtask,
        });
        let answer = client.ok("alma_report_subtask", report);
        assert_eq!(answer["answer"], "accepted", "{answer}");
    }
}

#[test]
fn a_client_that_goes_without_a_word_leaves_no_server() {
    let project = Project::new(&[]);
    let (_, rest) = Client::silent(&project).close();
    assert!(rest.is_empty(), "{rest:?}");
}
