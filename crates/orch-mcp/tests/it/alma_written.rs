//! What orch writes into ALMA's tables, as ALMA itself sees it: with the real package, before, after and while orch writes.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::alma::{ALMA, project};
use crate::client::{Client, Project};
use crate::install;

/// One subtask fails, with words that ALMA hears of others too.
const CONFIG: &str = r#"
retry: { max_retries: 0 }
workers:
  helena:
    command: [sh, -c, 'if [ "$0" = twice ]; then echo "sent it twice" >&2; exit 1; fi; echo done', "{{ subtask.id }}"]
    capabilities: [{ name: forms, task_types: [form_testing] }]
"#;

/// A program that uses ALMA, which may be busy while something else is done.
struct Peer {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Peer {
    fn start(project: &Project) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/alma_peer.py");
        let mut child = Command::new(install::python("alma-memory", &ALMA))
            .arg(script)
            .current_dir(project.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { stdin: child.stdin.take(), child, stdout }
    }

    fn begin(&mut self, command: &str, arguments: Value) {
        writeln!(self.stdin.as_mut().unwrap(), "{}", json!([command, arguments])).unwrap();
    }

    #[track_caller]
    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).expect("ALMA has failed; it says why on stderr")
    }

    #[track_caller]
    fn call(&mut self, command: &str, arguments: Value) -> Value {
        self.begin(command, arguments);
        self.answer()
    }

    fn end(mut self) {
        self.stdin = None;
        assert!(self.child.wait().unwrap().success());
    }
}

/// What ALMA is taught, and asked.
fn lesson(agent: &str, times: u32) -> Value {
    json!({
        "agent": agent, "task": "test the login form", "outcome": "success",
        "strategy_used": "fill fields then submit", "task_type": "form_testing", "times": times,
    })
}

fn question(agent: &str) -> Value {
    json!({ "task": "test the login form", "agent": agent })
}

/// Three attempts of helena, the second fails; returns the run.
fn run(client: &mut Client) -> Value {
    let subtask = |id: &str, text: &str| json!({ "id": id, "description": text, "task_type": "form_testing" });
    let answer = client.ok(
        "alma_delegate_task",
        json!({
            "task": "Test the shop", "mode": "managed",
            "subtasks": [subtask("login", "test the login form"), subtask("twice", "test the search form"), subtask("sizes", "test the form of sizes")],
        }),
    );
    let run = answer["orchestration_id"].clone();
    let status = json!({ "orchestration_id": run, "wait_s": 25 });
    let answer = client.ok("alma_orchestration_status", status);
    assert_eq!(answer["counts"]["done"], 2, "{answer}");
    run
}

/// Teaches ALMA and asks it, with `orch` in between, at the same time, and before ALMA starts again. Returns what ALMA answered.
fn play(peer: &mut Peer, mut orch: impl FnMut()) -> Vec<Value> {
    peer.call("learn", lesson("helena", 2));
    orch();
    // The third and the fourth make a rule of it, unless others have come in between.
    peer.call("learn", lesson("helena", 2));
    let mut failure = lesson("helena", 1);
    failure["outcome"] = json!("failure");
    failure["strategy_used"] = json!("press the button twice");
    failure["error_message"] = json!("it was sent twice, and so sent it twice");
    // The second of two that are alike makes an anti-pattern.
    peer.call("learn", failure);
    peer.begin("learn", lesson("victor", 40));
    orch();
    orch();
    assert_eq!(peer.answer(), "learned");
    let mut answers = Vec::new();
    for _ in 0..2 {
        answers.push(peer.call("retrieve", question("victor"))["counts"].clone());
        let stats = peer.call("stats", json!({}));
        answers
            .extend(["heuristics_count", "anti_patterns_count"].map(|count| stats[count].clone()));
        peer.call("open", json!({}));
    }
    answers
}

#[test]
fn alma_finds_what_orch_has_written_and_else_answers_as_without_it() {
    let alone = {
        let project = project("sqlite");
        let mut peer = Peer::start(&project);
        let answers = play(&mut peer, || {});
        let stats = peer.call("stats", json!({}));
        peer.end();
        (answers, stats["outcomes_count"].as_u64().unwrap())
    };
    assert_eq!(alone.0[1..3], [json!(40), json!(0)], "two rules of helena's, 38 of victor's");
    for store in ["orch", "alma"] {
        let project = project("sqlite");
        let memory = format!("memory: {{ store: {store}, alma: {{ write: true }} }}\n");
        fs::write(project.path().join("orch.yaml"), memory + CONFIG).unwrap();
        let mut peer = Peer::start(&project);
        let (mut client, mut runs) = (Client::start_with(&project, &["--trust"]), Vec::new());
        let answers = play(&mut peer, || runs.push(run(&mut client)));
        assert_eq!(answers, alone.0, "{store}");

        let stats = peer.call("stats", json!({}));
        assert_eq!(stats["outcomes_count"], alone.1 + 3 * 3, "{stats}");
        assert_eq!(peer.call("vectors", json!({})), alone.1 + 3 * 3);
        let query = json!({ "task": "test the search form as a part of: Test the shop", "agent": "helena" });
        let found = peer.call("retrieve", query);
        let notes: Vec<&Value> = found["outcomes"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|found| found["task"] == "test the search form")
            .collect();
        assert_eq!(notes.len(), 3, "{found}");
        for found in notes {
            assert!(runs.contains(&found["note"]["run_id"]), "{found}");
            assert_eq!(
                (&found["success"], &found["error"]),
                (&json!(false), &Value::Null),
                "{found}"
            );
            assert_eq!(
                (&found["type"], &found["note"]["task_type"]),
                (&json!("orch:form_testing"), &json!("form_testing"))
            );
            assert_eq!(
                (&found["note"]["subtask_id"], &found["note"]["cause"]),
                (&json!("twice"), &json!("reported"))
            );
            assert!(found["note"]["error"].as_str().unwrap().contains("sent it twice"), "{found}");
        }
        let workflows = peer.call("workflows", json!({}));
        assert_eq!(workflows.as_array().unwrap().len(), 3, "{workflows}");
        assert_eq!(workflows[0]["result"], "failure", "{workflows}");
        assert_eq!(
            (&workflows[0]["node_count"], &workflows[0]["agent"]),
            (&json!(3), &json!("orch"))
        );
        peer.end();
    }
}
