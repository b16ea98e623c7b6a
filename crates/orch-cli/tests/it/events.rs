//! What other programs are told: a file of events, stdout, webhooks.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{Project, WORKERS, sleeping};

/// Reads lines of events, and checks what holds for all: order, names, nothing secret.
fn events(text: &str) -> Vec<Value> {
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    for event in &events {
        let run = event["memory_id"].as_str().unwrap().to_owned();
        let seq = event["metadata"]["sequence_number"].as_u64().unwrap();
        assert_eq!(event["payload"]["orchestration_id"], event["memory_id"]);
        assert_eq!(event["memory_type"], "orchestration");
        assert!(last.insert(run, seq).is_none_or(|before| before + 1 == seq), "{text}");
        let kind = event["event_type"].as_str().unwrap();
        let is_of_subtask = kind.starts_with("subtask.");
        assert_eq!(event["payload"].get("subtask_id").is_some(), is_of_subtask, "{event}");
    }
    assert!(!text.contains("token") && !text.contains("slept"), "{text}");
    events
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event_type"].as_str().unwrap()).collect()
}

#[test]
fn a_file_gets_all_events_of_a_run_and_of_its_second_part() {
    let project = Project::with_workers(&sleeping(2, 0.0));
    let done = project.orch(&["run", "task.yaml", "--events", "events.jsonl", "--json"]).exits(0);
    let text = std::fs::read_to_string(project.path().join("events.jsonl")).unwrap();
    let seen = events(&text);
    assert_eq!(seen[0]["metadata"]["sequence_number"], 1);
    assert_eq!(seen[0]["memory_id"], done.json()["orchestration_id"]);
    let kinds = kinds(&seen);
    assert_eq!(kinds[..2], ["orchestration.submitted", "orchestration.plan_adopted"]);
    assert_eq!(kinds.last(), Some(&"orchestration.ended"));
    for kind in ["subtask.started", "subtask.result_received", "subtask.completed"] {
        assert_eq!(kinds.iter().filter(|seen| **seen == kind).count(), 2, "{kind}: {kinds:?}");
    }
    let completed = seen.iter().find(|event| event["event_type"] == "subtask.completed").unwrap();
    assert_eq!(completed["agent"], "sleeper");
    assert_eq!(seen.last().unwrap()["payload"]["status"], "completed");
}

#[test]
fn a_run_that_a_worker_submits_names_the_attempt_that_it_belongs_to() {
    let orch = env!("CARGO_BIN_EXE_orch");
    let config = format!(
        r#"
strategy: parallel
workers:
  nested:
    command: [{orch}, run, inner.yaml, --events, inner.jsonl, --json]
    env_allow: [HOME, PATH, XDG_STATE_HOME, ORCH_TRUST]
    capabilities: [{{ name: nest, task_types: [nest] }}]
  plain:
    command: [echo, done]
    capabilities: [{{ name: plain, task_types: [plain] }}]
"#
    );
    let one = |kind: &str| {
        let subtask = format!("{{ id: only, description: Do it, task_type: {kind} }}");
        format!("{{ description: Do it, task_type: {kind}, subtasks: [{subtask}] }}")
    };
    let project = Project::new(&[
        ("orch.yaml", &config),
        ("task.yaml", &one("nest")),
        ("inner.yaml", &one("plain")),
    ]);
    project.orch(&["run", "task.yaml", "--events", "outer.jsonl"]).exits(0);
    let first = |file: &str| {
        let text = std::fs::read_to_string(project.path().join(file)).unwrap();
        serde_json::from_str::<Value>(text.lines().next().unwrap()).unwrap()
    };
    let (outer, inner) = (first("outer.jsonl"), first("inner.jsonl"));
    let version = env!("CARGO_PKG_VERSION");
    let client = json!({ "name": "orch", "version": version });
    assert_eq!(outer["payload"]["origin"], json!({ "client": client }));
    assert_eq!(outer["metadata"]["by"]["process"], "orch run");
    let run = outer["memory_id"].as_str().unwrap();
    let origin = &inner["payload"]["origin"];
    assert_eq!(origin["parent"], json!({ "run": run, "subtask": "only", "fence": 1 }));
    assert_eq!((&origin["depth"], &origin["client"]), (&json!(1), &client));
    let trace = origin["traceparent"].as_str().unwrap();
    assert_eq!(trace[3..35], run.replace('-', ""), "the trace of the attempt: {trace}");
}

#[test]
fn a_resumed_run_is_told_from_where_it_goes_on() {
    let project = Project::with_workers(&sleeping(1, 30.0));
    let mut started = project.start(&["run", "task.yaml", "--events", "events.jsonl"]);
    started.run();
    started.until("> s0");
    started.signal(rustix::process::Signal::KILL);
    started.finish();
    std::fs::remove_file(project.path().join("events.jsonl")).unwrap();
    let mut resumed = project.start(&["resume", "--events", "events.jsonl"]);
    resumed.run();
    resumed.until("> s0");
    resumed.signal(rustix::process::Signal::INT);
    resumed.finish().exits(130);
    let text = std::fs::read_to_string(project.path().join("events.jsonl")).unwrap();
    let seen = events(&text);
    assert_eq!(kinds(&seen)[..2], ["orchestration.resumed", "subtask.attempt_lost"]);
    // Who was lost is known from before.
    assert_eq!(seen[1]["agent"], "sleeper");
    assert!(kinds(&seen).contains(&"orchestration.suspended"), "{text}");
}

/// Workers of which each writes the word `swordfish` in another way.
const TALKERS: &str = r#"
aggregation: merge
retry: { max_retries: 0 }
workers:
  left: { command: [echo, '{"x": "swordfish 1"}'], output: json, capabilities: [{ name: l, task_types: [left] }] }
  right: { command: [echo, '{"x": "swordfish 2"}'], output: json, capabilities: [{ name: r, task_types: [right] }] }
  loud: { command: [sh, -c, 'echo swordfish >&2; exit 65'], capabilities: [{ name: o, task_types: [loud] }] }
  sorry:
    command: [echo, '{"$orch": {"success": false, "error_message": "no swordfish"}}']
    output: json
    capabilities: [{ name: s, task_types: [sorry] }]
  odd: { command: [echo, '{"$orch": "swordfish"}'], output: json, capabilities: [{ name: d, task_types: [odd] }] }
"#;

#[test]
fn what_workers_write_is_in_no_event() {
    let subtasks = ["left", "right", "loud", "sorry", "odd"].map(|kind| {
        let required = matches!(kind, "left" | "right");
        format!("  - {{ id: {kind}, task_type: {kind}, description: x, required: {required} }}\n")
    });
    let task = format!("description: x\nsubtasks:\n{}", subtasks.concat());
    let project = Project::new(&[("orch.yaml", TALKERS), ("task.yaml", &task)]);
    let done = project.orch(&["run", "task.yaml", "--events", "events.jsonl", "--json"]);
    let conflicts = &done.json()["conflicts_resolved"];
    assert!(conflicts[0].as_str().unwrap().contains("swordfish"), "{done:?}");
    let text = std::fs::read_to_string(project.path().join("events.jsonl")).unwrap();
    assert!(!text.contains("swordfish"), "{text}");
    let seen = events(&text);
    assert_eq!(seen.last().unwrap()["payload"]["conflicts"], 1);
    for (subtask, cause, code) in
        [("loud", "invalid_input", 65), ("sorry", "reported", 0), ("odd", "bad_output", 0)]
    {
        let failed = |event: &&Value| {
            event["event_type"] == "subtask.failed" && event["payload"]["subtask_id"] == subtask
        };
        let payload = &seen.iter().find(failed).unwrap()["payload"];
        assert_eq!(payload["cause"], cause, "{payload}");
        let of_program = subtask != "sorry";
        assert_eq!(payload.get("exit_code"), of_program.then(|| json!(code)).as_ref(), "{payload}");
    }
}

#[test]
fn stdout_is_for_one_thing() {
    let project = Project::with_workers(&sleeping(1, 0.0));
    let done = project.orch(&["run", "task.yaml", "--events", "-", "--quiet"]).exits(0);
    assert_eq!(kinds(&events(&done.stdout)).last(), Some(&"orchestration.ended"));
    let done = project.orch(&["run", "task.yaml", "--events", "-"]).exits(0);
    events(&done.stdout);
    done.says("slept");
    let refused = project.orch(&["run", "task.yaml", "--events", "-", "--json"]).exits(2);
    refused.says("both write to stdout");
    project
        .orch(&["run", "task.yaml", "--events", "no/such/folder/x"])
        .exits(2)
        .says("no/such/folder/x");
}

/// A request as it came.
struct Request {
    headers: BTreeMap<String, String>,
    body: String,
}

/// Serves HTTP: the answers in order, then 204 for ever.
fn server(answers: &'static [&'static str]) -> (String, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook?key=hidden", listener.local_addr().unwrap());
    let (sent, received) = channel();
    std::thread::spawn(move || {
        let mut answers = answers.iter().copied();
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            while let Some(request) = request(&mut stream) {
                let answer = answers.next().unwrap_or("204 No Content");
                // Before the answer: once its client has that, it may end, and the test looks at what came.
                if sent.send(request).is_err() {
                    return;
                }
                write!(stream.get_mut(), "HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n").unwrap();
            }
        }
    });
    (url, received)
}

fn request(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    if stream.read_line(&mut line).ok()? == 0 {
        return None;
    }
    assert_eq!(line, "POST /hook?key=hidden HTTP/1.1\r\n");
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    stream.read_exact(&mut body).ok()?;
    Some(Request { headers, body: String::from_utf8(body).unwrap() })
}

fn with_webhook(webhook: &str) -> Project {
    let project = Project::with_workers(&sleeping(1, 0.0));
    project.write("orch.yaml", &format!("{WORKERS}webhooks:\n  - {webhook}\n"));
    project
}

#[test]
fn webhooks_are_signed_filtered_and_tried_again() {
    let (url, requests) = server(&["503 Service Unavailable", "200 OK", "404 Not Found"]);
    let project = with_webhook(&format!(
        "{{ url: '{url}', secret_env: HOOK_SECRET, events: ['orchestration.*', subtask.completed] }}"
    ));
    let mut command = project.command(&["run", "task.yaml", "--events", "events.jsonl"]);
    let done = crate::support::Done::from_command(command.env("HOOK_SECRET", "swordfish")).exits(0);
    done.says("1 events were not delivered");
    assert!(!done.stderr.contains("hidden"), "{}", done.stderr);

    let text = std::fs::read_to_string(project.path().join("events.jsonl")).unwrap();
    let wanted = |event: &Value| {
        let kind = event["event_type"].as_str().unwrap();
        kind.starts_with("orchestration.") || kind == "subtask.completed"
    };
    let mut expected: Vec<Value> = events(&text).into_iter().filter(wanted).collect();
    // The first came twice, as the first answer was a failure that may pass.
    expected.insert(0, expected[0].clone());
    let got: Vec<Request> = requests.try_iter().collect();
    let bodies: Vec<Value> =
        got.iter().map(|request| serde_json::from_str(&request.body).unwrap()).collect();
    assert_eq!(json!(bodies), json!(expected));
    for request in &got {
        let header = |name: &str| request.headers[name].as_str();
        let body: Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!(header("x-alma-event-type"), body["event_type"]);
        assert_eq!(header("content-type"), "application/json");
        let mut mac = Hmac::<Sha256>::new_from_slice(b"swordfish").unwrap();
        mac.update(format!("{}.{}", header("x-alma-timestamp"), request.body).as_bytes());
        let hex: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(header("x-alma-signature"), format!("sha256={hex}"));
    }
}

#[test]
fn a_webhook_that_nobody_serves_holds_no_run_up() {
    // A port that was free a moment ago may be taken by another test; nobody but the system may take this one.
    let project = with_webhook("{ url: 'http://127.0.0.1:1/' }");
    let done = project.orch(&["run", "task.yaml", "--json"]).exits(0);
    done.says("not all events were delivered within 10 s");
    // The run itself was over long before.
    assert!(done.json()["total_duration_ms"].as_u64().unwrap() < 5_000, "{}", done.stdout);
}

#[test]
fn what_is_wrong_with_a_webhook_is_said_before_the_run() {
    for (webhook, message) in [
        ("{ url: 'ftp://example.org' }", "webhooks[0].url"),
        (
            "{ url: 'http://example.org', events: [subtask.complete] }",
            "did you mean `subtask.completed`?",
        ),
        ("{ url: 'http://example.org', events: ['task.*'] }", "no event is called `task.*`"),
        ("{ url: 'http://example.org', secret_env: ORCH_NO_SUCH_SECRET }", "ORCH_NO_SUCH_SECRET"),
        ("{ url: 'http://[::1', secret_env: PATH }", "cannot use the webhook"),
        ("{ url: 'http://example.org', secret: x }", "secret"),
    ] {
        let project = with_webhook(webhook);
        project.orch(&["run", "task.yaml"]).exits(2).says(message);
        assert!(!project.store().exists(), "{webhook}");
    }
}
