//! Several processes on one run.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use orch_core::journal::Journal;
use orch_core::{Event, RunId, Seq, WorkerResult};
use orch_memory::{SqliteJournal, SqliteOptions};
use orch_supervisor::{Refusal, ReportAnswer, SubtaskReport, Supervisor, SupervisorError};
use serde_json::json;

use crate::support::{Project, children_of, sleeping, tell, timed};

#[test]
fn a_cancel_from_a_second_process_stops_the_run_at_once() {
    let project = Project::with_workers(&format!(
        "{}  - {{ id: quick, task_type: sleep, description: q, context: {{ seconds: 0 }} }}\n",
        sleeping(3, 60.0)
    ));
    let mut started = project.start(&["run", "task.yaml"]);
    let run = started.run();
    started.until("✓ quick");
    let ((cancelled, done), took) = timed(|| {
        let cancelled = project.orch(&["cancel"]).exits(0);
        (cancelled, started.finish().exits(1))
    });
    // Half a second on a machine that does nothing else; the subtasks take a minute.
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(children_of(run), [0; 0]);
    assert!(
        cancelled.stdout.contains("1 of 4 done, 3 cancelled\nnot done: s0, s1, s2"),
        "{}",
        cancelled.stdout
    );
    done.says("cancelling (requested)");
    assert_eq!(done.json(), json!({ "quick": "slept" }), "what was accepted is in the answer");
    tell(&format!("cancelled within {took:?}"));
}

#[test]
fn of_two_resumes_one_owns_and_the_other_says_who() {
    let project = Project::with_workers(&sleeping(2, 3.0));
    let mut started = project.start(&["run", "task.yaml"]);
    started.until("> s1");
    started.signal(rustix::process::Signal::KILL);
    started.finish();

    let mut first = project.start(&["resume"]);
    first.until("resumed");
    let second = project.orch(&["resume"]).exits(1);
    second.says(&format!("orch resume (process {})", first.pid()));
    assert_eq!(first.finish().exits(0).json(), json!({ "s0": "slept", "s1": "slept" }));
}

const SHARED: usize = 40;
const OWN: usize = 10;
const REPORTERS: usize = 8;
const STORE: &str = "ORCH_CLI_TEST_STORE";
const RUN: &str = "ORCH_CLI_TEST_RUN";
const WHO: &str = "ORCH_CLI_TEST_WHO";

#[test]
fn eight_processes_report_into_one_run_at_once() {
    let config = "limits: { max_parallel: 1000 }\nstrategy: parallel\nworkers:\n  people: { pull: true, slots: 1000, capabilities: [{ name: x, task_types: [ask] }] }\n";
    let ids = (0..SHARED)
        .map(|n| format!("shared{n}"))
        .chain((0..REPORTERS).flat_map(|who| (0..OWN).map(move |n| format!("own{who}-{n}"))));
    let subtasks: Vec<String> =
        ids.map(|id| format!("  - {{ id: {id}, task_type: ask, description: ask }}\n")).collect();
    let total = subtasks.len();
    let project = Project::new(&[
        ("orch.yaml", config),
        ("task.yaml", &format!("description: Ask\nsubtasks:\n{}", subtasks.concat())),
    ]);
    let mut started = project.start(&["run", "task.yaml"]);
    let run = started.run();
    started.until(&format!("> own{}-{} (offered", REPORTERS - 1, OWN - 1));

    let reporters: Vec<_> =
        (0..REPORTERS).map(|who| reporter_process(&project, run, who)).collect();
    let mut accepted: BTreeMap<String, usize> = BTreeMap::new();
    for (who, reporter) in reporters.into_iter().enumerate() {
        let output = reporter.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}");
        for id in text.lines().filter_map(|line| line.split_once("accepted:").map(|(_, id)| id)) {
            assert_eq!(accepted.insert(id.to_owned(), who), None, "`{id}` was accepted twice");
        }
    }
    assert_eq!(
        accepted.len(),
        total,
        "every report but one per subtask was refused, and none was lost"
    );

    let output = started.finish().exits(0).json();
    for (id, who) in &accepted {
        assert_eq!(output[id], json!(format!("by {who}")), "the answer has what was accepted");
    }
    let completed = completions(&project, run);
    assert_eq!(completed.len(), total);
    assert!(completed.values().all(|times| *times == 1), "one acceptance per subtask");
    let winners = accepted.iter().filter(|(id, _)| id.starts_with("shared")).map(|(_, who)| who);
    let winners: std::collections::BTreeSet<_> = winners.collect();
    tell(&format!("{total} subtasks, {} of {REPORTERS} processes won a shared one", winners.len()));
}

fn reporter_process(project: &Project, run: RunId, who: usize) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::reporter", "--nocapture"])
        .env(STORE, project.store())
        .env(RUN, run.to_string())
        .env(WHO, who.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The child process of the test above; without its variables there is nothing to do.
#[test]
fn reporter() {
    let (Ok(store), Ok(run), Ok(who)) =
        (std::env::var(STORE), std::env::var(RUN), std::env::var(WHO))
    else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let journal = Arc::new(SqliteJournal::open(store, SqliteOptions::new()).await.unwrap());
        let supervisor = Supervisor::builder().journal(journal).build();
        let (run, who): (RunId, usize) = (run.parse().unwrap(), who.parse().unwrap());
        // Each begins elsewhere among the shared ones, so that all have a chance to be first.
        let shared =
            (0..SHARED).map(|n| format!("shared{}", (n + who * SHARED / REPORTERS) % SHARED));
        let own = (0..OWN).map(|n| format!("own{who}-{n}"));
        for id in shared.chain(own) {
            if report(&supervisor, run, &id, who).await {
                println!("\naccepted:{id}");
            }
        }
    });
}

/// Reports until there is an answer that is final; returns whether it was accepted.
async fn report(supervisor: &Supervisor, run: RunId, id: &str, who: usize) -> bool {
    loop {
        let result = WorkerResult::success(id, "people", json!(format!("by {who}")));
        match supervisor.report(run, SubtaskReport::new(id, result)).await {
            Ok(ReportAnswer::Accepted) => return true,
            Err(SupervisorError::Refused(Refusal::Retry)) => {}
            Ok(_) | Err(SupervisorError::Refused(_)) => return false,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Returns how often each subtask was completed, from the journal.
fn completions(project: &Project, run: RunId) -> BTreeMap<u32, u32> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = SqliteOptions::new().with_read_only(true);
        let journal = SqliteJournal::open(project.store(), options).await.unwrap();
        let mut times = BTreeMap::new();
        for recorded in journal.load(run, Seq(0)).await.unwrap() {
            if let Event::SubtaskCompleted { subtask, .. } = recorded.event {
                *times.entry(subtask.0).or_default() += 1;
            }
        }
        times
    })
}
