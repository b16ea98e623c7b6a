//! What tools refuse, each with a sentence that says what to do.

use orch_core::JsonMap;
use serde_json::{Value, json};

use super::{chain, desk};
use crate::CallError;

#[tokio::test(start_paused = true)]
async fn a_refusal_says_what_to_do() {
    let desk = desk();
    let answer = desk.delegate(chain()).await;
    let run = answer["orchestration_id"].as_str().unwrap();
    let report = |more: Value| {
        let mut all = json!({ "orchestration_id": run, "subtask_id": "review" });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let delegate = |more: Value| {
        let mut all = json!({ "task": "Other" });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let cyclic = json!([
        { "id": "a", "description": "A", "dependencies": ["b"] },
        { "id": "b", "description": "B", "dependencies": ["a"] },
    ]);
    for (tool, arguments, expected) in [
        ("alma_delegate_task", json!({}), "missing field `task`"),
        ("alma_delegate_task", json!({ "task": " " }), "`task` is empty"),
        (
            "alma_delegate_task",
            json!({ "task": 5 }),
            "`task` must be a string, not the integer `5`",
        ),
        (
            "alma_delegate_task",
            delegate(json!({ "subtasks": {} })),
            "`subtasks` must be a list, not an object",
        ),
        (
            "alma_delegate_task",
            delegate(
                json!({ "subtasks": [{ "id": "a", "description": "A" }, { "id": "b", "description": 5 }] }),
            ),
            "`subtasks[1].description` must be a string, not the integer `5`",
        ),
        (
            "alma_delegate_task",
            delegate(json!({ "subtasks": [{ "id": "a" }] })),
            "in `subtasks[0]`: missing field `description`",
        ),
        (
            "alma_delegate_task",
            delegate(json!({ "subtasks": [5] })),
            "`subtasks[0]` must be an object",
        ),
        (
            "alma_delegate_task",
            delegate(json!({ "budget": { "max_tokens": -1 } })),
            "`budget.max_tokens` must be a whole number from 0 up",
        ),
        ("alma_delegate_task", delegate(json!({ "subtask": [] })), "did you mean `subtasks`?"),
        ("alma_delegate_task", delegate(json!({ "mode": "manged" })), "did you mean `managed`?"),
        ("alma_delegate_task", delegate(json!({ "strategy": "paralel" })), "unknown strategy"),
        (
            "alma_delegate_task",
            delegate(json!({ "aggregation": "vote" })),
            "pass `merge`, `concatenate` or `auto`",
        ),
        ("alma_delegate_task", delegate(json!({ "deadline": "soon" })), "`deadline` is `soon`"),
        (
            "alma_delegate_task",
            delegate(json!({ "deadline": "2001-01-01T00:00:00Z" })),
            "a time to come",
        ),
        ("alma_delegate_task", delegate(json!({ "budget": { "max_cost_usd": -1 } })), "from 0 up"),
        ("alma_delegate_task", delegate(json!({ "subtasks": cyclic })), "Wrong subtasks"),
        (
            "alma_delegate_task",
            delegate(json!({ "constraints": { "tags": ["nobody"] } })),
            "There is no plan",
        ),
        (
            "alma_delegate_task",
            delegate(json!({ "workers": ["x".repeat(129)] })),
            "1 to 128 lowercase letters",
        ),
        ("alma_report_subtask", report(json!({})), "Pass `result`"),
        ("alma_report_subtask", report(json!({ "result": 1, "result_file": "x" })), "not both"),
        (
            "alma_report_subtask",
            report(json!({ "result_file": "/etc/passwd" })),
            "is not in the folder of this run; write the result to `.orch/runs/",
        ),
        (
            "alma_report_subtask",
            report(json!({ "result": 1, "attempt": "x" })),
            "exactly as it was handed out",
        ),
        (
            "alma_report_subtask",
            report(json!({ "result": { "success": false } })),
            "`error_message`",
        ),
        (
            "alma_report_subtask",
            report(
                json!({ "result": { "success": false, "error_message": "x", "cause": "gate" } }),
            ),
            "pass one of: reported",
        ),
        (
            "alma_report_subtask",
            report(json!({ "result": 1, "usage": { "cost_usd": -1 } })),
            "not be negative",
        ),
        ("alma_report_subtask", report(json!({ "result": 1, "next": "some" })), "unknown variant"),
        (
            "alma_report_subtask",
            json!({ "orchestration_id": run, "subtask_id": "reveiw", "result": 1 }),
            "did you mean `review`?",
        ),
        (
            "alma_report_subtask",
            json!({ "orchestration_id": run, "subtask_id": "zzzzzzzz", "result": 1 }),
            "it has: review, write",
        ),
        (
            "alma_report_subtask",
            json!({ "orchestration_id": run, "subtask_id": "write", "result": 1 }),
            "subtask `write` is waiting",
        ),
        (
            "alma_report_subtask",
            json!({ "orchestration_id": "x", "subtask_id": "a", "result": 1 }),
            "There is no orchestration `x`",
        ),
        ("alma_claim_subtask", json!({ "orchestration_id": run, "slots": 0 }), "at least 1"),
        (
            "alma_claim_subtask",
            json!({ "orchestration_id": run, "subtask_id": "no" }),
            "has no subtask",
        ),
        (
            "alma_orchestration_status",
            json!({ "subtask_id": "review" }),
            "`orchestration_id` is missing",
        ),
        (
            "alma_orchestration_status",
            json!({ "orchestration_id": run, "cursor": "x" }),
            "`cursor` is not",
        ),
        (
            "alma_orchestration_status",
            json!({ "orchestration_id": "01890a5d-ac96-774b-bcce-b302099a8057" }),
            "There is no orchestration",
        ),
        (
            "alma_cancel_orchestration",
            json!({ "orchestration_id": "" }),
            "There is no orchestration",
        ),
    ] {
        let error = desk.refused(tool, arguments.clone()).await;
        assert!(error.contains(expected), "{arguments}: {error}");
        assert!(error.len() < 2_200, "{}", error.len());
    }
    let error = desk.server.call("alma_nothing", JsonMap::new()).await.unwrap_err();
    assert!(matches!(error, CallError::NoTool(_)), "{error}");
}
