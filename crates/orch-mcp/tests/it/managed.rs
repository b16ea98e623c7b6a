//! Runs that the server's own command workers do.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Client, Project};

/// `work` notes that it began, waits until it may go on, and says what it was for; `quick` just says so.
const CONFIG: &str = r#"
workers:
  work:
    command: [sh, -c, 'echo "$0" >> began; while [ ! -e go ]; do sleep 0.02; done; echo "$0" >> ended; echo "of $0"', "{{ subtask.id }}"]
    capabilities: [{ name: work, task_types: [work] }]
    max_concurrency: 4
  quick:
    command: [echo, "of {{ subtask.id }}"]
    capabilities: [{ name: quick, task_types: [quick] }]
"#;

struct Managed {
    project: Project,
}

impl Managed {
    fn new() -> Self {
        let project = Project::new(&[("reviewer", "Reviews code")]);
        fs::write(project.path().join("orch.yaml"), CONFIG).unwrap();
        Self { project }
    }

    /// A server that is told to trust the project, whose commands it runs, and its client.
    fn client(&self, args: &[&str]) -> Client {
        Client::start_with(&self.project, &[&["--trust"], args].concat())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.project.path().join(name)
    }

    /// Lets the workers go on.
    fn go(&self) {
        fs::write(self.path("go"), "").unwrap();
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// Waits until so many lines are in a file.
    #[track_caller]
    fn until(&self, name: &str, lines: usize) {
        for _ in 0..12_000 {
            if self.lines(name).len() >= lines {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("{name}: {:?}", self.lines(name));
    }
}

/// Two that wait, then one that does not.
fn plan() -> Value {
    json!([
        { "id": "a", "description": "Work on a", "task_type": "work" },
        { "id": "b", "description": "Work on b", "task_type": "work" },
        { "id": "sum", "description": "Sum up", "task_type": "quick", "dependencies": ["a", "b"] },
    ])
}

fn delegate(client: &mut Client, mode: &str, subtasks: Value) -> Value {
    client.ok("alma_delegate_task", json!({ "task": "Do all", "subtasks": subtasks, "mode": mode }))
}

fn wait(client: &mut Client, run: &Value) -> Value {
    client.ok("alma_orchestration_status", json!({ "orchestration_id": run, "wait_s": 25 }))
}

#[track_caller]
fn completed(answer: &Value) {
    assert_eq!(answer["status"], "completed", "{answer}");
    let output = json!({ "a": "of a", "b": "of b", "sum": "of sum" });
    assert_eq!(answer["aggregated_output"], output, "{answer}");
}

#[test]
fn command_workers_do_a_run_and_progress_flows_to_its_end() {
    let managed = Managed::new();
    let mut client = managed.client(&[]);
    let answer = delegate(&mut client, "managed", plan());
    assert_eq!(answer["ready"], json!([]), "{answer}");
    let run = &answer["orchestration_id"];
    managed.until("began", 2);
    managed.go();
    let arguments = json!({ "orchestration_id": run, "wait_s": 100 });
    let params = json!({
        "name": "alma_orchestration_status", "arguments": arguments, "_meta": { "progressToken": "p" },
    });
    let answer = client.request("tools/call", params);
    completed(&answer["result"]["structuredContent"]);
    assert!(client.heard.iter().all(|progress| progress["progressToken"] == "p"));
    let done: Vec<f64> = client.heard.iter().map(|p| p["progress"].as_f64().unwrap()).collect();
    assert!(done.is_sorted_by(|a, b| a < b), "{done:?}");
    assert_eq!(done.last(), Some(&3.0), "{:?}", client.heard);
    assert!(client.close().0);
}

#[test]
fn agents_and_commands_share_a_run() {
    let managed = Managed::new();
    managed.go();
    let mut client = managed.client(&[]);
    let subtasks = json!([
        { "id": "a", "description": "Work on a", "task_type": "work" },
        { "id": "b", "description": "Review the code of a", "dependencies": ["a"] },
        { "id": "sum", "description": "Sum up", "task_type": "quick", "dependencies": ["b"] },
    ]);
    let answer = delegate(&mut client, "mixed", subtasks);
    let run = &answer["orchestration_id"];
    let waited = wait(&mut client, run);
    assert_eq!(waited["status"], "active", "{waited}");
    let claimed = client.ok("alma_claim_subtask", json!({ "orchestration_id": run }));
    let entry = &claimed["ready"][0];
    assert_eq!((&entry["subtask_id"], &entry["worker"]), (&json!("b"), &json!("reviewer")));
    let file = entry["prompt"].as_str().unwrap().split_once("- a: ").unwrap().1;
    let input = managed.path(file.lines().next().unwrap());
    assert_eq!(fs::read_to_string(input).unwrap().trim(), "of a");
    let report = json!({
        "orchestration_id": run, "subtask_id": "b", "attempt": entry["attempt"], "result": "of b",
    });
    assert_eq!(client.ok("alma_report_subtask", report)["answer"], "accepted");
    completed(&wait(&mut client, run));
}

#[test]
fn after_kill_9_the_next_server_goes_on_and_nothing_of_the_last_one_runs_any_more() {
    let managed = Managed::new();
    let mut client = managed.client(&[]);
    let run = delegate(&mut client, "managed", plan())["orchestration_id"].clone();
    managed.until("began", 2);
    client.kill();

    let mut client = managed.client(&[]);
    let status = client.ok("alma_orchestration_status", json!({ "orchestration_id": run }));
    assert_eq!(status["status"], "active", "{status}");
    managed.until("began", 4);
    managed.go();
    completed(&wait(&mut client, &run));
    assert_eq!(managed.lines("began"), ["a", "a", "b", "b"]);
    assert_eq!(managed.lines("ended"), ["a", "b"], "those of the first server were killed");
}

#[test]
fn a_mixed_run_survives_kill_9_with_what_its_agents_have() {
    let managed = Managed::new();
    let mut client = managed.client(&[]);
    let subtasks = json!([
        { "id": "a", "description": "Work on a", "task_type": "work" },
        { "id": "b", "description": "Review the code of b" },
        { "id": "sum", "description": "Sum up", "task_type": "quick", "dependencies": ["a", "b"] },
    ]);
    let answer = delegate(&mut client, "mixed", subtasks);
    let (run, entry) = (answer["orchestration_id"].clone(), answer["ready"][0].clone());
    assert_eq!(entry["subtask_id"], "b", "{answer}");
    managed.until("began", 1);
    client.kill();

    let mut client = managed.client(&[]);
    let report = json!({
        "orchestration_id": run, "subtask_id": "b", "attempt": entry["attempt"], "result": "of b",
    });
    let reported = client.ok("alma_report_subtask", report);
    assert_eq!(reported["answer"], "accepted", "{reported}");
    managed.until("began", 2);
    managed.go();
    completed(&wait(&mut client, &run));
    assert_eq!(managed.lines("ended"), ["a"], "the one of the first server was killed");
}

#[test]
fn a_request_that_is_cancelled_leaves_its_run_alone() {
    let managed = Managed::new();
    let mut client = managed.client(&[]);
    let run = delegate(&mut client, "managed", plan())["orchestration_id"].clone();
    let arguments = json!({ "orchestration_id": run, "wait_s": 25 });
    let params = json!({ "name": "alma_orchestration_status", "arguments": arguments });
    let id = client.begin("tools/call", params);
    let params = json!({ "requestId": id, "reason": "the user wants something else" });
    client
        .send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params }));
    let status = client.ok("alma_orchestration_status", json!({ "orchestration_id": run }));
    assert_eq!(status["status"], "active", "the next answer is not that of the cancelled request");
    managed.go();
    completed(&wait(&mut client, &run));
    let (well, rest) = client.close();
    assert!(well && rest.is_empty(), "no answer to what was cancelled: {rest:?}");
}

#[test]
fn one_server_waits_for_a_run_that_another_carries_out() {
    let managed = Managed::new();
    let (mut owner, mut other) = (managed.client(&[]), managed.client(&[]));
    let run = delegate(&mut owner, "managed", plan())["orchestration_id"].clone();
    managed.until("began", 2);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| wait(&mut other, &run));
        managed.go();
        completed(&waiting.join().unwrap());
    });
    assert_eq!(managed.lines("began"), ["a", "b"], "nothing was done twice");
}

#[test]
fn whoever_waits_takes_over_when_the_server_that_carried_it_out_is_killed() {
    let managed = Managed::new();
    let (mut owner, mut other) = (managed.client(&[]), managed.client(&[]));
    let run = delegate(&mut owner, "managed", plan())["orchestration_id"].clone();
    managed.until("began", 2);
    let arguments = json!({ "orchestration_id": run, "wait_s": 25 });
    let params = json!({ "name": "alma_orchestration_status", "arguments": arguments });
    let waiting = other.begin("tools/call", params);
    owner.kill();
    managed.until("began", 4);
    managed.go();
    completed(&other.answer_to(waiting)["result"]["structuredContent"]);
    assert_eq!(managed.lines("ended"), ["a", "b"]);
}

#[test]
fn external_runs_use_no_command_and_managed_ones_say_what_is_missing() {
    let managed = Managed::new();
    managed.go();
    let mut client = managed.client(&[]);
    let answer = delegate(&mut client, "external", plan());
    assert_eq!(answer["ready"][0]["worker"], "general-purpose", "{answer}");
    assert!(client.close().0);
    assert!(!Path::exists(&managed.path("began")));

    let bare = Project::new(&[]);
    let mut client = Client::start(&bare);
    let refused = client.call("alma_delegate_task", json!({ "task": "Do it", "mode": "managed" }));
    let error = refused["structuredContent"]["error"].as_str().unwrap();
    assert!(error.contains("orch.yaml") && error.contains("command"), "{error}");
}

#[test]
fn a_client_that_goes_suspends_what_runs_and_the_next_server_says_so_and_resumes_it() {
    let managed = Managed::new();
    let mut client = managed.client(&["--grace", "100ms"]);
    let run = delegate(&mut client, "managed", plan())["orchestration_id"].clone();
    managed.until("began", 2);
    assert!(client.close().0);
    let id = run.as_str().unwrap();

    let mut client = managed.client(&[]);
    let stderr = fs::read_to_string(managed.path("stderr.txt")).unwrap();
    assert!(stderr.contains(id) && stderr.contains("suspended: 0 of 3 done"), "{stderr}");
    let list = client.ok("alma_orchestration_status", json!({}));
    let entry = &list["orchestrations"][0];
    assert_eq!((&entry["orchestration_id"], &entry["status"]), (&run, &json!("suspended")));
    let status = wait(&mut client, &run);
    assert_eq!(status["status"], "suspended", "{status}");
    managed.go();
    assert!(client.close().0);
    assert_eq!(managed.lines("began"), ["a", "b"], "nobody has asked to go on");
    assert_eq!(managed.lines("ended"), [""; 0], "what ran was stopped");

    let mut client = managed.client(&[]);
    let resume = json!({ "orchestration_id": run, "resume": true, "wait_s": 25 });
    completed(&client.ok("alma_orchestration_status", resume));
    assert_eq!(managed.lines("began"), ["a", "a", "b", "b"]);
}

#[test]
fn what_ends_in_the_time_of_grace_counts() {
    let managed = Managed::new();
    let mut client = managed.client(&["--grace", "60s"]);
    let run = delegate(&mut client, "managed", plan())["orchestration_id"].clone();
    managed.until("began", 2);
    client.hang_up();
    managed.go();
    assert!(client.close().0);
    let mut client = managed.client(&[]);
    completed(&client.ok("alma_orchestration_status", json!({ "orchestration_id": run })));
    assert_eq!(managed.lines("began"), ["a", "b"], "nothing was done twice");
}
