//! A failed subtask that is tried again: in the same answer, or the answer says when and how.

use super::*;

async fn failed(desk: &Desk, cause: &str) -> (Value, Value) {
    let subtasks = json!([
        { "id": "a", "description": "Review the code" },
        { "id": "b", "description": "Review the text" },
    ]);
    let answer = desk.delegate(subtasks).await;
    assert_eq!(ids(&answer), ["a", "b"]);
    let run = answer["orchestration_id"].clone();
    let report = json!({ "orchestration_id": run, "subtask_id": "a", "error_message": "no luck", "cause": cause });
    let said = desk.ok("alma_report_subtask", report).await;
    (run, said)
}

#[tokio::test(start_paused = true)]
async fn the_retry_of_a_reported_failure_is_handed_out_in_the_same_answer() {
    let desk = desk_that_retries();
    let (run, said) = failed(&desk, "reported").await;
    assert_eq!(ids(&said), ["a"], "{said}");
    assert_eq!(said["ready"][0]["worker"], "general-purpose", "who has not failed at it");
    let last = desk.report(&run, "a", "fine").await;
    assert_eq!((&last["status"], &last["counts"]["done"]), (&json!("active"), &json!(1)));
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_waits_is_announced_with_its_time() {
    let desk = desk_that_retries();
    let (run, said) = failed(&desk, "rate_limit").await;
    // An untried agent starts at once after `rate_limit`; so does the second retry wait.
    assert_eq!(ids(&said), ["a"]);
    let again = json!({ "orchestration_id": run, "subtask_id": "a", "error_message": "no luck", "cause": "timeout" });
    let said = desk.ok("alma_report_subtask", again).await;
    assert_eq!(ids(&said), [""; 0]);
    let next = said["next"].as_str().unwrap();
    let seconds: u64 =
        next.split(" in ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!((1..=10).contains(&seconds), "{next}");
    assert!(next.starts_with("`a` is tried again"), "{next}");
    assert!(next.contains(": call alma_claim_subtask then. Report on what is running."), "{next}");
    let status = desk.ok("alma_orchestration_status", json!({ "orchestration_id": run })).await;
    let line = status["not_done"][0].as_str().unwrap();
    assert!(line.starts_with("a: backoff, tried again") && line.contains(" s (tried"), "{line}");
    assert!(status["next"].as_str().unwrap().starts_with("`a` is tried again"), "{status}");
    desk.pass(seconds).await;
    let claimed = desk.ok("alma_claim_subtask", json!({ "orchestration_id": run })).await;
    assert_eq!(ids(&claimed), ["a"], "{claimed}");
}
