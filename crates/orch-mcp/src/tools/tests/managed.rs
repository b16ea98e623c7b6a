//! Workers that the server runs itself: modes, waiting, progress, suspended runs.

use std::sync::Mutex;

use orch_core::WorkerCapability;
use orch_supervisor::worker_fn;

use super::*;
use crate::call_context::Progress;

/// A worker of the server that sleeps as long as the subtask says.
fn sleeper() -> Vec<Arc<dyn Worker>> {
    let sleeper =
        worker_fn("sleeper", [WorkerCapability::new("sleep", ["sleep"])], |ctx| async move {
            let seconds = ctx.subtask.context.get("s").and_then(Value::as_u64).unwrap_or(2);
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Ok(ctx.subtask.id.as_str().into())
        });
    vec![Arc::new(sleeper.with_max_concurrency(NonZeroU32::new(2).unwrap()))]
}

fn desk_that_sleeps() -> Desk {
    desk_with(&MemoryJournal::new(), sleeper())
}

fn naps(ids: &[&str]) -> Value {
    ids.iter()
        .map(|id| json!({ "id": id, "description": "Take a nap", "task_type": "sleep" }))
        .collect()
}

/// A nap, then a review of it.
fn nap_and_review(seconds: u64) -> Value {
    json!([
        { "id": "nap", "description": "Take a nap", "task_type": "sleep", "context": { "s": seconds } },
        { "id": "review", "description": "Review the code", "dependencies": ["nap"] },
    ])
}

impl Desk {
    async fn delegate_as(&self, mode: &str, subtasks: Value) -> Value {
        let arguments = json!({ "task": "Ship the shop", "subtasks": subtasks, "mode": mode });
        self.ok("alma_delegate_task", arguments).await
    }

    /// Calls a tool with a call, and returns the answer, what was heard, and the seconds that it took.
    async fn wait(&self, run: &Value, seconds: u64, hears: bool) -> (Value, Vec<Progress>, u64) {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let mut call = CallContext::silent();
        if hears {
            let heard = heard.clone();
            call = call.with_progress(move |progress| {
                heard.lock().unwrap().push(progress);
                Box::pin(std::future::ready(()))
            });
        }
        let before = self.began.elapsed();
        let arguments = json!({ "orchestration_id": run, "wait_s": seconds });
        let answer = self.call_for(call, "alma_orchestration_status", arguments).await.unwrap();
        let took = (self.began.elapsed() - before).as_secs();
        let heard = heard.lock().unwrap().clone();
        (answer, heard, took)
    }
}

#[tokio::test(start_paused = true)]
async fn the_server_s_workers_do_a_managed_run_and_the_client_waits() {
    let desk = desk_that_sleeps();
    let answer = desk.delegate_as("managed", naps(&["a", "b", "c"])).await;
    assert_eq!((ids(&answer), &answer["status"]), (Vec::new(), &json!("active")));
    assert_eq!(answer["plan"][0], "a [sleeper]: Take a nap");
    assert!(answer["next"].as_str().unwrap().contains("wait_s"), "{answer}");
    let (last, heard, took) = desk.wait(&answer["orchestration_id"], 25, true).await;
    assert_eq!((&last["status"], took), (&json!("completed"), 4), "two at once: {last}");
    assert_eq!(last["aggregated_output"], json!(["a", "b", "c"]));
    let done: Vec<f64> = heard.iter().map(|progress| progress.done).collect();
    assert!(done.is_sorted_by(|a, b| a < b), "{done:?}");
    assert_eq!((done[0], *done.last().unwrap()), (0.0, 3.0));
    assert!(heard.iter().all(|progress| progress.total == Some(3.0)));
    assert_eq!(heard[0].message, "active: 0 of 3 done, 2 running");
    let (over, heard, took) = desk.wait(&answer["orchestration_id"], 25, true).await;
    assert_eq!((&over["status"], took, heard.len()), (&json!("completed"), 0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_25_s_at_most_and_100_s_while_progress_flows() {
    let desk = desk_that_sleeps();
    let nap =
        json!([{ "id": "a", "description": "Nap", "task_type": "sleep", "context": { "s": 900 } }]);
    let answer = desk.delegate_as("managed", nap).await;
    let run = &answer["orchestration_id"];
    for (seconds, hears, expected) in
        [(3, false, 3), (600, false, 25), (3, true, 3), (600, true, 100)]
    {
        let (answer, heard, took) = desk.wait(run, seconds, hears).await;
        assert_eq!((&answer["status"], took), (&json!("active"), expected), "{answer}");
        // The first, and one every 10 s; whether one comes with the answer is chance.
        let signs = if hears { 1 + (expected - 1) / 10..=1 + expected / 10 } else { 0..=0 };
        assert!(signs.contains(&(heard.len() as u64)), "{expected} s: {heard:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn both_kinds_do_a_mixed_run_and_waiting_ends_when_there_is_something_for_the_client() {
    let desk = desk_that_sleeps();
    let answer = desk.delegate_as("mixed", nap_and_review(5)).await;
    let run = &answer["orchestration_id"];
    assert!(answer["next"].as_str().unwrap().contains("wait_s"), "{answer}");
    let one = json!({ "orchestration_id": run, "subtask_id": "nap" });
    let one = desk.ok("alma_orchestration_status", one).await;
    assert_eq!(one.get("handed_out"), None, "what the server does is not handed out: {one}");
    let (answer, _, took) = desk.wait(run, 25, false).await;
    assert_eq!((&answer["status"], took), (&json!("active"), 5), "{answer}");
    let claimed = desk.ok("alma_claim_subtask", json!({ "orchestration_id": run })).await;
    assert_eq!(
        (ids(&claimed), &claimed["ready"][0]["worker"]),
        (vec!["review"], &json!("reviewer"))
    );
    let (_, _, took) = desk.wait(run, 7, false).await;
    assert_eq!(took, 7, "what the client has is nothing new");
    let last = desk.report(run, "review", "fine").await;
    assert_eq!(last["aggregated_output"], json!(["nap", "fine"]));
}

#[tokio::test(start_paused = true)]
async fn a_mode_says_who_may_and_a_refusal_what_to_do() {
    let desk = desk_that_sleeps();
    let external = desk.delegate_as("external", naps(&["a"])).await;
    assert_eq!(external["ready"][0]["worker"], "general-purpose", "{external}");
    let bare = super::desk();
    let sleeps = json!([{ "id": "a", "description": "x", "worker": "sleeper" }]);
    let other = json!([{ "id": "a", "description": "Bake bread", "task_type": "baking" }]);
    for (desk, more, part) in [
        (&bare, json!({ "mode": "managed" }), "orch.yaml"),
        (&desk, json!({ "workers": ["sleeper"] }), "mode `managed` or `mixed`"),
        (&desk, json!({ "subtasks": sleeps }), "mode `managed` or `mixed`"),
        (&desk, json!({ "mode": "managed", "workers": ["reviewer"] }), "which has: sleeper"),
        (&desk, json!({ "mode": "managed", "workers": ["stranger"] }), "which has: sleeper"),
        (&desk, json!({ "mode": "managed", "subtasks": other }), "give one of them in orch.yaml"),
        (&desk, json!({ "mode": "both" }), "expected one of `external`, `managed`, `mixed`"),
    ] {
        let mut arguments = json!({ "task": "Do it" });
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let refused = desk.refused("alma_delegate_task", arguments).await;
        assert!(refused.contains(part), "{more}: {refused}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_wait_any_more_leaves_the_run_as_it_is() {
    let desk = desk_that_sleeps();
    let answer = desk.delegate_as("managed", naps(&["a"])).await;
    let run = &answer["orchestration_id"];
    let arguments = json!({ "orchestration_id": run, "wait_s": 20 });
    let gone = CallContext::new(tokio::time::sleep(Duration::from_secs(1)));
    let cut = desk.call_for(gone, "alma_orchestration_status", arguments).await.unwrap();
    assert_eq!((&cut["status"], desk.began.elapsed().as_secs()), (&json!("active"), 1));
    let (last, _, took) = desk.wait(run, 20, false).await;
    assert_eq!((&last["status"], took), (&json!("completed"), 1));
}

#[tokio::test(start_paused = true)]
async fn one_server_waits_for_what_another_carries_out() {
    let journal = MemoryJournal::new();
    let (owner, other) = (desk_with(&journal, sleeper()), desk_with(&journal, sleeper()));
    let run =
        owner.delegate_as("managed", naps(&["a", "b", "c"])).await["orchestration_id"].clone();
    let (last, heard, took) = other.wait(&run, 25, true).await;
    assert_eq!((&last["status"], took), (&json!("completed"), 4));
    assert_eq!(heard.last().unwrap().done, 3.0);
}

#[tokio::test(start_paused = true)]
async fn a_suspended_run_goes_on_only_when_asked() {
    let journal = MemoryJournal::new();
    let first = desk_with(&journal, sleeper());
    let subtasks = json!([
        { "id": "a", "description": "Nap", "task_type": "sleep" },
        { "id": "b", "description": "Nap", "task_type": "sleep", "context": { "s": 10 } },
    ]);
    let managed = first.delegate_as("managed", subtasks).await;
    // Ids sort by time.
    tokio::time::sleep(Duration::from_millis(1)).await;
    let external = first.delegate(chain()).await;
    first.pass(3).await;
    first.supervisor.shutdown(Duration::ZERO).await;

    let next = desk_with(&journal, sleeper());
    let list = next.ok("alma_orchestration_status", json!({})).await;
    let hints: Vec<bool> = list["orchestrations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["next"].as_str().is_some_and(|next| next.contains("resume")))
        .collect();
    assert_eq!(hints, [false, true], "newest first: {list}");
    let run = &managed["orchestration_id"];
    let (answer, _, took) = next.wait(run, 20, false).await;
    assert_eq!((&answer["status"], took), (&json!("suspended"), 0), "{answer}");
    assert_eq!(answer["counts"]["done"], 1, "what was done stays done");
    assert!(answer["next"].as_str().unwrap().contains("resume"), "{answer}");
    let resumed = json!({ "orchestration_id": run, "resume": true, "wait_s": 20 });
    let resumed = next.ok("alma_orchestration_status", resumed).await;
    assert_eq!(resumed["status"], "completed");
    assert_eq!(resumed["aggregated_output"], json!(["a", "b"]));
    let report = next.report(&external["orchestration_id"], "review", "fine").await;
    assert_eq!(report["answer"], "accepted", "a run of agents was just let go: {report}");
}

#[tokio::test(start_paused = true)]
async fn whoever_delegates_a_suspended_run_again_wants_it_done() {
    let journal = MemoryJournal::new();
    let first = desk_with(&journal, sleeper());
    let before = first.delegate_as("managed", naps(&["a"])).await;
    first.supervisor.shutdown(Duration::ZERO).await;
    let next = desk_with(&journal, sleeper());
    let again = next.delegate_as("managed", naps(&["a"])).await;
    assert_eq!(again["orchestration_id"], before["orchestration_id"]);
    let (last, _, _) = next.wait(&before["orchestration_id"], 20, false).await;
    assert_eq!(last["status"], "completed");
}

#[tokio::test(start_paused = true)]
async fn open_runs_are_listed_in_pages() {
    let desk = desk();
    for number in 0..45 {
        let task = json!({ "task": format!("Task {number} {}", "x".repeat(100)) });
        desk.ok("alma_delegate_task", task).await;
        // Ids sort by time.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), None::<Value>);
    loop {
        let arguments = match &cursor {
            Some(cursor) => json!({ "cursor": cursor }),
            None => json!({}),
        };
        let page = desk.ok("alma_orchestration_status", arguments).await;
        assert!(serde_json::to_vec(&page).unwrap().len() <= MAX_ANSWER_BYTES);
        let runs = page["orchestrations"].as_array().unwrap();
        assert!(!runs.is_empty());
        seen.extend(runs.iter().map(|run| run["task"].as_str().unwrap()[..7].trim().to_owned()));
        cursor = page.get("next_cursor").cloned();
        if cursor.is_none() {
            break;
        }
    }
    let expected: Vec<String> = (0..45).rev().map(|number| format!("Task {number}")).collect();
    assert_eq!(seen, expected, "newest first, each once");
}
