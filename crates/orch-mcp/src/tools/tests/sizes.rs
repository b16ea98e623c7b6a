//! No answer is longer than 4 KB, whatever comes in. `Desk::call` checks the size of each.

use orch_core::{AggregateError, AggregationInput, AggregationResult, Aggregator, Conflict};

use super::*;

/// Drops many values, with a long sentence about each.
struct Dropping;

impl Aggregator for Dropping {
    fn aggregate(&self, _: &AggregationInput<'_>) -> Result<AggregationResult, AggregateError> {
        let mut result = AggregationResult::new("x".repeat(5_000).into());
        result.conflicts_resolved = vec![Conflict::new("é".repeat(500)); 50];
        Ok(result)
    }
}

/// A name of 128 characters: as long as they may be.
fn name(c: char, number: usize) -> String {
    let number = number.to_string();
    format!("{}{number}", c.to_string().repeat(128 - number.len()))
}

#[tokio::test(start_paused = true)]
async fn no_answer_is_too_long_whatever_comes_in() {
    for c in ['"', 'é', '😀'] {
        everything_long(c).await;
    }
}

async fn everything_long(c: char) {
    let desk = desk_that_retries();
    let text = |bytes: usize| format!("{c}\n\u{1}{}", c.to_string().repeat(bytes));
    let ids: Vec<String> = (0..24).map(|i| name(c, i)).collect();
    let subtasks: Vec<Value> = ids
        .iter()
        .enumerate()
        .map(|(i, id)| {
            let dependencies = if i < 18 { &[][..] } else { &ids[..18] };
            json!({
                "id": id, "description": text(3_000), "task_type": text(3_000),
                "dependencies": dependencies, "worker": format!("{}{i}", "w".repeat(126 - i / 10)),
                "context": { text(50): text(5_000) },
            })
        })
        .collect();
    let arguments =
        json!({ "task": text(3_000), "subtasks": subtasks, "context": { "a": text(3_000) } });
    let answer = desk.ok("alma_delegate_task", arguments.clone()).await;
    let again = desk.ok("alma_delegate_task", arguments).await;
    let run = answer["orchestration_id"].clone();
    assert_eq!(again["orchestration_id"], run);

    let mut held: Vec<Value> = Vec::new();
    for answer in [&answer, &again] {
        held.extend(answer["ready"].as_array().unwrap().iter().map(|it| it["subtask_id"].clone()));
    }
    let lessons: Vec<String> = (0..200).map(|i| text(i % 50)).collect();
    for (i, id) in ids[..18].iter().enumerate() {
        if !held.contains(&json!(id)) {
            let claim = json!({ "orchestration_id": run, "subtask_id": id });
            let claimed = desk.ok("alma_claim_subtask", claim).await;
            assert_eq!(super::ids(&claimed), [id], "a claim always has room for one: {claimed}");
        }
        let next = if i % 7 == 6 { "own" } else { "none" };
        let mut report =
            json!({ "orchestration_id": run, "subtask_id": id, "lessons": lessons, "next": next });
        match i % 4 {
            0 => report["error_message"] = json!(text(5_000)),
            1 => report["result"] = json!(format!("FAILED: {}", text(5_000))),
            2 => {
                report["error_message"] = json!("no luck");
                report["result_file"] = json!(text(5_000));
            }
            _ => report["result"] = json!(text(5_000)),
        }
        // What it cannot be reported with any more is refused in a sentence, which is bounded, too.
        if let Err(error) = desk.call("alma_report_subtask", report).await {
            assert!(crate::answer::sentence(&error).len() <= MAX_ANSWER_BYTES);
        }
    }
    every_view(&desk, &run, &ids).await;
    desk.ok("alma_cancel_orchestration", json!({ "orchestration_id": run })).await;
    desk.pass(10).await;
    every_view(&desk, &run, &ids).await;
    desk.ok("alma_cancel_orchestration", json!({ "orchestration_id": run })).await;
    desk.ok("alma_orchestration_status", json!({})).await;
}

async fn every_view(desk: &Desk, run: &Value, ids: &[String]) {
    desk.ok("alma_orchestration_status", json!({ "orchestration_id": run })).await;
    for id in ids.iter().step_by(5) {
        let one = json!({ "orchestration_id": run, "subtask_id": id });
        desk.ok("alma_orchestration_status", one).await;
    }
    let mut seen = 0;
    let mut page = json!({ "orchestration_id": run, "detail": true });
    loop {
        let answer = desk.ok("alma_orchestration_status", page).await;
        let listed = answer["subtasks"].as_array().unwrap().len();
        assert!(listed > 0, "a page has at least one: {answer}");
        seen += listed;
        let Some(cursor) = answer.get("next_cursor") else { break };
        assert_eq!(cursor.as_str().unwrap(), seen.to_string());
        page = json!({ "orchestration_id": run, "cursor": cursor });
    }
    assert_eq!(seen, ids.len());
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_cut_says_how_much_is_left_out() {
    let desk = desk();
    let answer = desk.delegate(chain()).await;
    let report = json!({
        "orchestration_id": answer["orchestration_id"], "subtask_id": "review", "result": 1,
        "lessons": vec!["x".repeat(500); 10_000],
    });
    let said = desk.ok("alma_report_subtask", report).await;
    let listed = said["lessons_refused"].as_array().unwrap().len() as u64;
    assert!(listed > 0);
    assert_eq!(said["lessons_refused_more"], 10_000 - listed, "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_page_of_a_run_that_ended_with_many_errors_and_conflicts_is_short() {
    let desk = desk_from(&MemoryJournal::new(), Vec::new(), |b| b.aggregator(Dropping));
    let ids: Vec<String> = (0..24).map(|i| name('é', i)).collect();
    let text = "é".repeat(500);
    let subtasks: Vec<Value> =
        ids.iter().map(|id| json!({ "id": id, "description": text, "required": false })).collect();
    let arguments = json!({ "task": text, "subtasks": subtasks });
    let run = desk.ok("alma_delegate_task", arguments).await["orchestration_id"].clone();
    desk.pass(1).await;
    for (i, id) in ids.iter().enumerate() {
        // Most are handed out already: then there is nothing to claim.
        let claim = json!({ "orchestration_id": run, "subtask_id": id });
        let _ = desk.call("alma_claim_subtask", claim).await;
        let how = if i % 6 == 0 { "result" } else { "error_message" };
        let mut report = json!({ "orchestration_id": run, "subtask_id": id });
        report[how] = json!(text);
        desk.ok("alma_report_subtask", report).await;
    }
    let detail = json!({ "orchestration_id": run, "detail": true });
    let page = desk.ok("alma_orchestration_status", detail).await;
    assert_eq!(page["errors"].as_array().unwrap().len(), 4, "{page}");
    assert_eq!(page["conflicts"].as_array().unwrap().len(), 4, "{page}");
    assert_eq!(page["values_dropped"], 50);
    every_view(&desk, &run, &ids).await;
}
