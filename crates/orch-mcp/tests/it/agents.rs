//! A run by agents that report for themselves, over MCP and by `orch`, while one dies, others are late or repeat themselves,
//! and the server is killed.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use orch_app::{Access, Config, ProjectLocation, Trust};
use orch_core::journal::Recorded;
use orch_core::{Event, RunId, Seq};
use serde_json::{Value, json};

use crate::client::{Client, Project};

/// Long enough for what is done at once on a busy machine, short enough to wait for its end.
const CONFIG: &str = "limits: { lease: 3s }\n";
const IDS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// Three that can start, one for two of them, one for the third, one for both of these.
fn plan() -> Value {
    let subtask = |id: &str, dependencies: &[&str]| json!({ "id": id, "description": format!("Review the code of {id}"), "dependencies": dependencies });
    json!([
        subtask("a", &[]),
        subtask("b", &[]),
        subtask("c", &[]),
        subtask("d", &["a", "b"]),
        subtask("e", &["c"]),
        subtask("f", &["d", "e"]),
    ])
}

/// What was answered to whom, in the order in which it came.
#[derive(Default)]
struct Answers(Mutex<Vec<String>>);

impl Answers {
    fn note(&self, who: &str, answer: &Value) -> String {
        let word = answer["answer"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        let id = answer["subtask_id"].as_str().unwrap();
        self.0.lock().unwrap().push(format!("{id} by {who}: {word}"));
        word
    }
}

/// The command line, as an agent with a shell calls it.
struct Shell<'a> {
    binary: PathBuf,
    project: &'a Path,
    run: &'a str,
}

impl Shell<'_> {
    /// Returns the exit code, and what was answered.
    fn orch(&self, args: &[&str]) -> (i32, Value) {
        let mut command = Command::new(&self.binary);
        command.args(args).arg("--json").current_dir(self.project).env("HOME", self.project);
        let output = command
            .env_remove("ORCH_LOG")
            .env_remove("XDG_STATE_HOME")
            .env_remove("ORCH_TRUST")
            .output()
            .unwrap();
        let answer = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{args:?}: {error}: {output:?}"));
        (output.status.code().unwrap(), answer)
    }

    fn report(&self, entry: &Value, result: &str) -> (i32, Value) {
        let [id, attempt, file] =
            ["subtask_id", "attempt", "result_file"].map(|field| entry[field].as_str().unwrap());
        fs::write(self.project.join(file), result).unwrap();
        self.orch(&["report", self.run, id, "--attempt", attempt, "--file", file])
    }

    /// Claims and reports until the run is over.
    fn work(&self, answers: &Answers) {
        loop {
            let (exit, answer) = self.orch(&["claim", self.run]);
            let Some(entry) = answer["ready"].get(0) else {
                match exit {
                    1 => return,
                    4 => thread::sleep(Duration::from_millis(20)),
                    _ => panic!("{exit}: {answer}"),
                }
                continue;
            };
            let (_, answer) = self.report(entry, &result(entry));
            answers.note("shell", &answer);
        }
    }
}

fn result(entry: &Value) -> String {
    format!("of {}", entry["subtask_id"].as_str().unwrap())
}

fn report(client: &mut Client, run: &str, entry: &Value, result: &str) -> Value {
    client.ok(
        "alma_report_subtask",
        json!({
            "orchestration_id": run, "subtask_id": entry["subtask_id"], "attempt": entry["attempt"],
            "result": result, "next": "none",
        }),
    )
}

/// Waits until the lease of an attempt is over, however often the process that took the run over has lengthened it.
#[expect(clippy::disallowed_methods, reason = "leases end by the wall clock")]
fn until_lapsed(client: &mut Client, run: &str, entry: &Value) {
    loop {
        let one = json!({ "orchestration_id": run, "subtask_id": entry["subtask_id"] });
        let status = client.ok("alma_orchestration_status", one);
        let until: Timestamp =
            status["handed_out"]["lease_until"].as_str().unwrap().parse().unwrap();
        assert_eq!(status["handed_out"]["attempt"], entry["attempt"], "nobody has claimed it");
        let left = until.duration_since(Timestamp::now());
        let Ok(left) = Duration::try_from(left) else { return };
        thread::sleep(left + Duration::from_millis(1));
    }
}

/// An agent over MCP: claims and reports until the run is over.
fn work(client: &mut Client, run: &str, answers: &Answers) {
    loop {
        let answer = client.ok("alma_claim_subtask", json!({ "orchestration_id": run }));
        if let Some(entry) = answer["ready"].get(0) {
            answers.note("mcp", &report(client, run, entry, &result(entry)));
        } else if answer["status"] == "completed" {
            return;
        } else {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

pub(crate) fn events(project: &Project, run: &str) -> Vec<Recorded> {
    let run: RunId = run.parse().unwrap();
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
        let place = ProjectLocation::find(project.path(), None, None).unwrap();
        let config = Config::load(&place.with_trust(Trust::ThisCall, None)).unwrap();
        let store = orch_app::open_store(&config, Access::Read).await.unwrap();
        store.load(run, Seq(0)).await.unwrap()
    })
}

#[test]
fn three_agents_that_report_for_themselves_end_a_run_whatever_happens() {
    // A test of the whole workspace has built it.
    let binary = Path::new(env!("CARGO_BIN_EXE_orch-mcp")).with_file_name("orch");
    if !binary.exists() {
        let _ = writeln!(std::io::stderr(), "SKIPPED: there is no `orch`; cargo build -p orch-cli");
        return;
    }
    let project = Project::new(&[("reviewer", "Reviews code")]);
    fs::write(project.path().join("orch.yaml"), CONFIG).unwrap();
    let answers = Answers::default();

    let mut server = Client::start(&project);
    let task = json!({ "task": "Review all", "subtasks": plan(), "aggregation": "concatenate" });
    let delegated = server.ok("alma_delegate_task", task);
    let run = delegated["orchestration_id"].as_str().unwrap();
    let [a, b, c] = [0, 1, 2].map(|i| delegated["ready"][i].clone());
    assert_eq!([&a, &b, &c].map(|entry| &entry["subtask_id"]), ["a", "b", "c"]);
    // The agents have their prompts; one of them, with `b`, is dead from now on.
    server.kill();

    let shell = Shell { binary, project: project.path(), run };
    let again = thread::scope(|scope| {
        let twice = scope.spawn(|| {
            for (exit, expected) in [(0, "accepted"), (0, "duplicate")] {
                let (code, answer) = shell.report(&a, "of a");
                assert_eq!((code, &*answers.note("shell", &answer)), (exit, expected));
            }
        });
        let late_and_changed = scope.spawn(|| {
            let mut server = Client::start(&project);
            until_lapsed(&mut server, run, &c);
            let late = report(&mut server, run, &c, "of c");
            assert_eq!(answers.note("mcp, late", &late), "accepted", "nobody else has claimed it");
            server.kill();
            let mut server = Client::start(&project);
            let changed = report(&mut server, run, &c, "of somebody else");
            assert_eq!(answers.note("mcp, changed", &changed), "rejected");
            assert!(server.close().0);
        });
        let successor = scope.spawn(|| {
            loop {
                let (exit, answer) = shell.orch(&["claim", run, "--subtask", "b"]);
                match exit {
                    0 => return answer["ready"][0].clone(),
                    4 => thread::sleep(Duration::from_millis(50)),
                    _ => panic!("{exit}: {answer}"),
                }
            }
        });
        twice.join().unwrap();
        late_and_changed.join().unwrap();
        successor.join().unwrap()
    });
    assert_ne!(again["attempt"], b["attempt"], "the lease has lapsed, and it was offered again");
    let (exit, late) = shell.report(&b, "of the dead");
    assert_eq!((exit, &*answers.note("shell, from the dead", &late)), (4, "stale"));
    let (_, answer) = shell.report(&again, "of b");
    assert_eq!(answers.note("shell, successor", &answer), "accepted");

    let mut server = Client::start(&project);
    thread::scope(|scope| {
        scope.spawn(|| shell.work(&answers));
        scope.spawn(|| shell.work(&answers));
        work(&mut server, run, &answers);
    });
    let status = server.ok("alma_orchestration_status", json!({ "orchestration_id": run }));
    let output = status["aggregated_output"].as_array().unwrap();
    let outputs: Vec<&str> = output.iter().map(|entry| entry["output"].as_str().unwrap()).collect();
    assert_eq!(outputs, IDS.map(|id| format!("of {id}")), "{status}");

    let sequence = answers.0.into_inner().unwrap();
    let _ = writeln!(std::io::stderr(), "answers:\n  {}", sequence.join("\n  "));
    let mut accepted = BTreeMap::new();
    for line in sequence.iter().filter(|line| line.ends_with(": accepted")) {
        *accepted.entry(&line[..1]).or_insert(0) += 1;
    }
    assert_eq!(accepted, IDS.map(|id| (id, 1)).into(), "each was accepted once: {sequence:?}");
    let events = events(&project, run);
    let completed = |e: &&Recorded| matches!(e.event, Event::SubtaskCompleted { .. });
    assert_eq!(events.iter().filter(completed).count(), 6);
    let late = |e: &Recorded| matches!(e.event, Event::ResultReceived { late: true, .. });
    assert!(events.iter().any(late), "one came late, and counted");
}
