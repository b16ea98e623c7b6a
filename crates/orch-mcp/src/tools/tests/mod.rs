//! The tools on an engine in memory and in virtual time.

mod failures;
mod managed;
mod names;
mod refusals;
mod requests;
mod retries;
mod sizes;

use std::fs;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use orch_core::journal::MemoryJournal;
use orch_core::{RunSettings, Worker};
use orch_failure::RetryingFailureHandler;
use orch_supervisor::{Builder, Clock, Supervisor};
use orch_workers::AgentWorker;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::Server;
use crate::answer::MAX_ANSWER_BYTES;
use crate::call_context::CallContext;

/// A project with two agents, and a server for it.
struct Desk {
    server: Server,
    supervisor: Supervisor,
    project: tempfile::TempDir,
    began: Instant,
}

/// Where virtual time begins.
const START: i64 = 1_800_000_000;

fn desk() -> Desk {
    desk_with(&MemoryJournal::new(), Vec::new())
}

/// A server of an engine that tries failed subtasks again.
fn desk_that_retries() -> Desk {
    let retries = |builder: Builder| builder.failure_handler(RetryingFailureHandler::new());
    desk_from(&MemoryJournal::new(), Vec::new(), retries)
}

/// A server that runs some workers itself, on a journal that others may use.
fn desk_with(journal: &MemoryJournal, managed: Vec<Arc<dyn Worker>>) -> Desk {
    desk_from(journal, managed, |builder| builder)
}

fn desk_from(
    journal: &MemoryJournal,
    managed: Vec<Arc<dyn Worker>>,
    with: impl FnOnce(Builder) -> Builder,
) -> Desk {
    let project = tempfile::tempdir().unwrap();
    #[expect(clippy::disallowed_methods, reason = "tokio's clock stands still in these tests")]
    let began = Instant::now();
    let start = Timestamp::from_second(START).unwrap();
    let mut agents: Vec<Arc<dyn Worker>> = vec![
        Arc::new(AgentWorker::new("reviewer", "Reviews code and finds bugs")),
        Arc::new(AgentWorker::new("writer", "Writes texts").with_slots(NonZeroU32::MIN)),
    ];
    agents.extend(managed);
    let settings = RunSettings::default().with_project("shop").with_lease_ms(60_000_u64);
    let builder = Supervisor::builder()
        .journal(Arc::new(journal.second_writer()))
        .clock(Clock::Tokio(start))
        .workers(agents.iter().cloned())
        .settings(settings.clone());
    let supervisor = with(builder).build();
    let server = Server::builder(supervisor.clone(), project.path())
        .settings(settings)
        .now(move || start + began.elapsed())
        .build()
        .unwrap();
    Desk { server, supervisor, project, began }
}

impl Desk {
    /// Calls a tool that does what it is asked; every answer is small.
    #[track_caller]
    fn ok(&self, tool: &'static str, arguments: Value) -> impl Future<Output = Value> {
        let call = self.call(tool, arguments);
        async move { call.await.unwrap_or_else(|error| panic!("{tool}: {error}")) }
    }

    /// Calls a tool that refuses, and returns the sentence.
    fn refused(&self, tool: &'static str, arguments: Value) -> impl Future<Output = String> {
        let call = self.call(tool, arguments);
        async move { call.await.unwrap_err() }
    }

    fn call(
        &self,
        tool: &'static str,
        arguments: Value,
    ) -> impl Future<Output = Result<Value, String>> {
        self.call_for(CallContext::silent(), tool, arguments)
    }

    fn call_for(
        &self,
        call: CallContext,
        tool: &'static str,
        arguments: Value,
    ) -> impl Future<Output = Result<Value, String>> {
        let server = self.server.clone();
        async move {
            let answer = server.answer(tool, arguments.as_object().cloned(), call).await.unwrap();
            let answer: Value = answer.map_err(|error| error.to_string())?.into_map().into();
            let size = serde_json::to_vec(&answer).unwrap().len();
            assert!(size <= MAX_ANSWER_BYTES, "{tool}: {size} bytes");
            assert_eq!(answer.as_object().unwrap().keys().next().unwrap(), "success");
            Ok(answer)
        }
    }

    async fn delegate(&self, subtasks: Value) -> Value {
        self.ok("alma_delegate_task", json!({ "task": "Ship the shop", "subtasks": subtasks }))
            .await
    }

    async fn report(&self, run: &Value, subtask: &str, result: &str) -> Value {
        let arguments = json!({ "orchestration_id": run, "subtask_id": subtask, "result": result });
        self.ok("alma_report_subtask", arguments).await
    }

    async fn pass(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        assert!(self.began.elapsed() >= Duration::from_secs(seconds));
    }
}

fn ids(answer: &Value) -> Vec<&str> {
    let ready = answer["ready"].as_array().unwrap();
    ready.iter().map(|entry| entry["subtask_id"].as_str().unwrap()).collect()
}

fn chain() -> Value {
    json!([
        { "id": "review", "description": "Review the code" },
        { "id": "write", "description": "Write the text", "dependencies": ["review"] },
    ])
}

#[tokio::test(start_paused = true)]
async fn a_task_is_delegated_reported_and_aggregated() {
    let desk = desk();
    let delegated = desk.delegate(chain()).await;
    assert_eq!(ids(&delegated), ["review"]);
    assert_eq!(delegated["next_subtask"], "review");
    let counts = json!({ "total": 2, "done": 0, "waiting": 1, "running": 1 });
    assert_eq!(delegated["counts"], counts, "what is handed out is running");
    let first = &delegated["ready"][0];
    assert_eq!(first["worker"], "reviewer");
    let plan = delegated["plan"].as_array().unwrap();
    assert_eq!(plan[0], "review [reviewer]: Review the code");
    assert_eq!(plan[1], "write after review: Write the text");
    let run = &delegated["orchestration_id"];
    let prompt = first["prompt"].as_str().unwrap();
    assert!(prompt.contains("Ship the shop") && prompt.contains("Review the code"), "{prompt}");
    assert!(prompt.contains(first["result_file"].as_str().unwrap()), "{prompt}");

    fs::write(desk.project.path().join(first["result_file"].as_str().unwrap()), "two bugs")
        .unwrap();
    let report = json!({
        "orchestration_id": run, "subtask_id": "review", "attempt": first["attempt"],
        "result_file": first["result_file"],
    });
    let reported = desk.ok("alma_report_subtask", report.clone()).await;
    assert_eq!((&reported["answer"], ids(&reported)), (&json!("accepted"), vec!["write"]));
    assert_eq!(reported["progress"], 0.5);
    let prompt = reported["ready"][0]["prompt"].as_str().unwrap();
    let input = format!(".orch/runs/{}/accepted/1-review.md", run.as_str().unwrap());
    assert!(prompt.contains(&input), "{prompt}");
    assert!(!prompt.contains("two bugs"), "results are never pasted: {prompt}");
    assert_eq!(fs::read_to_string(desk.project.path().join(input)).unwrap(), "two bugs");

    let again = desk.ok("alma_report_subtask", report).await;
    assert_eq!((&again["answer"], &again["success"]), (&json!("duplicate"), &json!(true)));
    let last = desk.report(run, "write", "the text").await;
    assert_eq!((&last["status"], &last["progress"]), (&json!("completed"), &json!(1.0)));
    assert_eq!(last["aggregated_output"], json!(["two bugs", "the text"]));
    assert_eq!((ids(&last), &last["next_subtask"]), (Vec::new(), &Value::Null));
}

#[tokio::test(start_paused = true)]
async fn what_no_agent_fits_goes_to_the_general_one_and_named_ones_are_guests() {
    let desk = desk();
    let answer = desk
        .delegate(json!([
            { "id": "bake", "description": "Bake bread", "task_type": "baking" },
            { "id": "fly", "description": "Fly home", "worker": "pilot" },
            { "id": "bugs", "description": "Find bugs in code" },
        ]))
        .await;
    let ready = answer["ready"].as_array().unwrap();
    let workers: Vec<&str> = ready.iter().map(|entry| entry["worker"].as_str().unwrap()).collect();
    assert_eq!(workers, ["general-purpose", "pilot", "reviewer"]);
    let line = answer["plan"][0].as_str().unwrap();
    assert_eq!(line, "bake [general-purpose: no agent fits it better]: Bake bread");
}

#[tokio::test(start_paused = true)]
async fn only_listed_workers_are_chosen() {
    let desk = desk();
    let arguments = json!({ "task": "Find bugs in the code", "workers": ["writer"] });
    let answer = desk.ok("alma_delegate_task", arguments).await;
    assert_eq!(answer["ready"][0]["worker"], "general-purpose");
}

#[tokio::test(start_paused = true)]
async fn the_same_task_is_one_run_while_it_is_open_and_young() {
    let desk = desk();
    let task = json!({ "task": "Find bugs", "context": { "in": "shop" } });
    let first = desk.ok("alma_delegate_task", task.clone()).await;
    let again = desk.ok("alma_delegate_task", task.clone()).await;
    assert_eq!(first["orchestration_id"], again["orchestration_id"]);
    assert!(again["message"].as_str().unwrap().contains("same request"), "{again}");
    let other = json!({ "task": "Find bugs", "context": { "in": "office" } });
    let other = desk.ok("alma_delegate_task", other).await;
    assert_ne!(first["orchestration_id"], other["orchestration_id"]);

    desk.report(&first["orchestration_id"], "task", "none").await;
    let next = desk.ok("alma_delegate_task", task.clone()).await;
    assert_ne!(first["orchestration_id"], next["orchestration_id"], "the first is over");
    desk.pass(599).await;
    let same = desk.ok("alma_delegate_task", task.clone()).await;
    assert_eq!(next["orchestration_id"], same["orchestration_id"]);
    desk.pass(2).await;
    let late = desk.ok("alma_delegate_task", task).await;
    assert_ne!(next["orchestration_id"], late["orchestration_id"], "10 minutes have passed");
}

#[tokio::test(start_paused = true)]
async fn a_request_key_always_means_the_same_run() {
    let desk = desk();
    let task = json!({ "task": "Find bugs", "request_key": "k" });
    let first = desk.ok("alma_delegate_task", task.clone()).await;
    desk.report(&first["orchestration_id"], "task", "none").await;
    let again = desk.ok("alma_delegate_task", task).await;
    assert_eq!(first["orchestration_id"], again["orchestration_id"]);
    assert_eq!((&again["status"], ids(&again)), (&json!("completed"), Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_large_plan_is_handed_out_in_small_answers() {
    let desk = desk();
    let subtasks: Vec<Value> = (0..1_000)
        .map(|i| json!({ "id": format!("s{i}"), "description": format!("Review file {i}: {}", "x".repeat(500)) }))
        .collect();
    let answer = desk.delegate(json!(subtasks)).await;
    let given = answer["ready"].as_array().unwrap().len();
    assert!(given >= 1, "{answer}");
    assert_eq!(answer["counts"]["total"], 1_000);
    assert!(answer["plan_more"].as_u64().unwrap() > 900);
    assert_eq!(answer["more_ready"].as_u64().unwrap() as usize, 1_000 - given);
    let run = &answer["orchestration_id"];
    let claimed = desk.ok("alma_claim_subtask", json!({ "orchestration_id": run })).await;
    assert_eq!(claimed["ready"].as_array().unwrap().len(), 1);
    desk.ok("alma_orchestration_status", json!({ "orchestration_id": run })).await;
    let page = desk
        .ok("alma_orchestration_status", json!({ "orchestration_id": run, "detail": true }))
        .await;
    let listed = page["subtasks"].as_array().unwrap().len();
    assert!((5..=50).contains(&listed), "{page}");
    assert_eq!(page["next_cursor"], listed.to_string());
    let last = json!({ "orchestration_id": run, "cursor": "996" });
    let page = desk.ok("alma_orchestration_status", last).await;
    assert_eq!((page["subtasks"].as_array().unwrap().len(), page.get("next_cursor")), (4, None));
    desk.ok("alma_cancel_orchestration", json!({ "orchestration_id": run })).await;
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_is_too_long_is_a_file() {
    let desk = desk();
    let quotes = desk.delegate(json!([{ "id": "q", "description": "\"".repeat(1_500) }])).await;
    assert!(quotes["ready"][0]["prompt"].as_str().unwrap().contains("prompts/1-q"), "{quotes}");
    let long = "Review this. ".repeat(500);
    let subtasks = json!([{ "id": "a", "description": long }]);
    let arguments = json!({ "task": "Long", "subtasks": subtasks });
    let answer = desk.ok("alma_delegate_task", arguments).await;
    let prompt = answer["ready"][0]["prompt"].as_str().unwrap();
    assert!(prompt.len() <= 2_048);
    let path = prompt.split_whitespace().find(|word| word.starts_with(".orch/")).unwrap();
    let whole = fs::read_to_string(desk.project.path().join(path.trim_end_matches(':'))).unwrap();
    assert!(whole.contains(long.trim()), "{path}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_agent_s_work_is_handed_out_again_and_its_late_report_is_stale() {
    let desk = desk();
    let answer = desk.delegate(json!([{ "id": "a", "description": "Review code" }])).await;
    let (run, lost) = (&answer["orchestration_id"], answer["ready"][0]["attempt"].clone());
    let none = desk.ok("alma_claim_subtask", json!({ "orchestration_id": run })).await;
    assert_eq!(ids(&none), [""; 0]);
    desk.pass(61).await;
    let claimed = desk.ok("alma_claim_subtask", json!({ "orchestration_id": run })).await;
    assert_eq!(ids(&claimed), ["a"]);
    assert_ne!(claimed["ready"][0]["attempt"], lost);
    let late =
        json!({ "orchestration_id": run, "subtask_id": "a", "attempt": lost, "result": "late" });
    let late = desk.ok("alma_report_subtask", late).await;
    assert_eq!((&late["answer"], &late["success"]), (&json!("stale"), &json!(false)));
    let report = json!({ "orchestration_id": run, "subtask_id": "a", "attempt": claimed["ready"][0]["attempt"], "result": "fresh" });
    let last = desk.ok("alma_report_subtask", report).await;
    assert_eq!(last["aggregated_output"], json!(["fresh"]));
}

#[tokio::test(start_paused = true)]
async fn an_agent_claims_within_its_slots_and_gets_its_next_one() {
    let desk = desk();
    let subtasks: Vec<Value> =
        (0..3).map(|i| json!({ "id": format!("w{i}"), "description": "Write texts" })).collect();
    let answer = desk.delegate(json!(subtasks)).await;
    assert_eq!(ids(&answer), ["w0"], "the writer does one at a time");
    let run = &answer["orchestration_id"];
    let claim = json!({ "orchestration_id": run, "worker": "writer" });
    assert_eq!(ids(&desk.ok("alma_claim_subtask", claim).await), [""; 0]);
    let named = json!({ "orchestration_id": run, "worker": "writer", "subtask_id": "w1" });
    let refused = desk.refused("alma_claim_subtask", named).await;
    assert!(refused.contains("holds 1"), "{refused}");
    let two =
        json!({ "orchestration_id": run, "worker": "writer", "subtask_id": "w1", "slots": 2 });
    assert_eq!(ids(&desk.ok("alma_claim_subtask", two).await), ["w1"]);
    let report =
        json!({ "orchestration_id": run, "subtask_id": "w0", "result": "x", "next": "none" });
    assert_eq!(ids(&desk.ok("alma_report_subtask", report).await), [""; 0]);
    let report =
        json!({ "orchestration_id": run, "subtask_id": "w1", "result": "x", "next": "own" });
    assert_eq!(ids(&desk.ok("alma_report_subtask", report).await), ["w2"]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_reported_with_its_cause() {
    let desk = desk();
    let answer = desk.delegate(chain()).await;
    let run = &answer["orchestration_id"];
    let result = json!({ "success": false, "error_message": "no access", "cause": "auth" });
    let report = json!({ "orchestration_id": run, "subtask_id": "review", "result": result });
    let failed = desk.ok("alma_report_subtask", report).await;
    assert_eq!((&failed["answer"], &failed["status"]), (&json!("accepted"), &json!("failed")));
    assert!(failed["errors"][0].as_str().unwrap().contains("no access"), "{failed}");
}

#[tokio::test(start_paused = true)]
async fn status_lists_runs_and_shows_what_was_handed_out() {
    let desk = desk();
    let empty = desk.ok("alma_orchestration_status", json!({})).await;
    assert_eq!(empty["orchestrations"], json!([]));
    let answer = desk.delegate(chain()).await;
    let run = &answer["orchestration_id"];
    let list = desk.ok("alma_orchestration_status", json!({})).await;
    assert_eq!(list["orchestrations"][0]["orchestration_id"], *run);
    let status = desk.ok("alma_orchestration_status", json!({ "orchestration_id": run })).await;
    assert_eq!(status["not_done"][1], "write: waiting");
    assert_eq!(status["worker_status"][0]["worker"], "reviewer");
    let one = json!({ "orchestration_id": run, "subtask_id": "review" });
    let one_answer = desk.ok("alma_orchestration_status", one.clone()).await;
    assert_eq!(one_answer["handed_out"], answer["ready"][0]);
    desk.report(run, "review", "fine").await;
    let done = desk.ok("alma_orchestration_status", one).await;
    assert_eq!((&done["output"], done.get("handed_out")), (&json!("fine"), None));
}

#[tokio::test(start_paused = true)]
async fn a_large_output_is_a_file() {
    let desk = desk();
    let answer = desk.delegate(chain()).await;
    let run = &answer["orchestration_id"];
    let large = "x".repeat(40_000);
    let next = desk.report(run, "review", &large).await;
    let prompt = next["ready"][0]["prompt"].as_str().unwrap();
    let path = prompt.split_whitespace().find(|word| word.contains("/accepted/")).unwrap();
    assert_eq!(fs::read_to_string(desk.project.path().join(path)).unwrap(), large);
    let one = json!({ "orchestration_id": run, "subtask_id": "review" });
    let one = desk.ok("alma_orchestration_status", one).await;
    assert_eq!(one["output_file"], path);
    let last = desk.report(run, "write", "y").await;
    let file = last["output_file"].as_str().unwrap();
    let output: Value =
        serde_json::from_str(&fs::read_to_string(desk.project.path().join(file)).unwrap()).unwrap();
    assert_eq!(output, json!([large, "y"]));
}

#[tokio::test(start_paused = true)]
async fn cancel_ends_a_run_with_what_it_has() {
    let desk = desk();
    let answer = desk.delegate(chain()).await;
    let run = json!({ "orchestration_id": answer["orchestration_id"] });
    let cancelled = desk.ok("alma_cancel_orchestration", run.clone()).await;
    assert_eq!(cancelled["success"], true);
    assert_eq!(
        cancelled["cleanup_summary"],
        json!({ "kept": 0, "not_done": 2, "open": ["review"] })
    );
    desk.pass(6).await;
    let again = desk.ok("alma_cancel_orchestration", run).await;
    assert_eq!((&again["success"], &again["status"]), (&json!(false), &json!("cancelled")));
}

#[tokio::test(start_paused = true)]
async fn a_changed_report_of_the_same_attempt_is_rejected() {
    let desk = desk();
    let answer = desk.delegate(chain()).await;
    let run = &answer["orchestration_id"];
    desk.report(run, "review", "one").await;
    let changed = desk.report(run, "review", "two").await;
    assert_eq!((&changed["answer"], &changed["success"]), (&json!("rejected"), &json!(false)));
    assert!(changed["message"].as_str().unwrap().contains("something else"), "{changed}");
}
