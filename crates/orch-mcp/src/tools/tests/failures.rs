//! What counts as a failure, and what the answer says about it.

use std::fs;

use serde_json::{Value, json};

use super::{Desk, chain, desk, ids};

/// Delegates two subtasks, the second after the first, and reports on the first.
async fn report(more: Value) -> (Desk, Value) {
    let desk = desk();
    let answer = desk.delegate(chain()).await;
    for (name, text) in [
        ("failed.md", "FAILED: no repo\nIt is empty."),
        ("failed.json", r#"{"success": false, "error_message": "no repo"}"#),
        ("empty.md", " \n"),
        ("null.json", "null"),
    ] {
        let folder = desk
            .project
            .path()
            .join(".orch/runs")
            .join(answer["orchestration_id"].as_str().unwrap());
        fs::write(folder.join(name), text).unwrap();
    }
    let mut arguments =
        json!({ "orchestration_id": answer["orchestration_id"], "subtask_id": "review" });
    arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    if let Some(name) = arguments.get("result_file") {
        let run = answer["orchestration_id"].as_str().unwrap();
        arguments["result_file"] = json!(format!(".orch/runs/{run}/{}", name.as_str().unwrap()));
    }
    let said =
        desk.server.call("alma_report_subtask", arguments.as_object().unwrap().clone()).await;
    let said = match said {
        Ok(answer) => Value::Object(answer),
        Err(error) => json!({ "error": error.to_string() }),
    };
    (desk, said)
}

#[tokio::test(start_paused = true)]
async fn a_failure_in_any_form_is_one() {
    for (more, why) in [
        (json!({ "result": "FAILED: no repo" }), "`FAILED:`"),
        (json!({ "result_file": "failed.md" }), "`FAILED:`"),
        (json!({ "result_file": "failed.json" }), "`success: false`"),
        (json!({ "result": { "success": false, "error_message": "no repo" } }), "`success: false`"),
        (json!({ "result": { "success": "false", "error": "no repo" } }), "`success: false`"),
        (
            json!({ "result": "{\"success\": false, \"error_message\": \"no repo\"}" }),
            "`success: false`",
        ),
        (json!({ "success": false, "error_message": "no repo" }), "`success` is false"),
        (json!({ "success": "false", "result": "no repo" }), "`success` is false"),
        (json!({ "error_message": "no repo" }), "`error_message`"),
        (json!({ "error_message": "no repo", "result": { "seen": 3 } }), "`error_message`"),
        (json!({ "error_message": "no repo", "result_file": "absent.md" }), "the file is left out"),
    ] {
        let (_desk, answer) = report(more.clone()).await;
        assert_eq!(answer["answer"], "accepted", "{more}: {answer}");
        let read_as = answer["read_as"].as_str().unwrap();
        assert!(read_as.starts_with("a failure, since ") && read_as.contains(why), "{read_as}");
        assert_eq!(answer["status"], "failed", "nothing that depends on it starts: {answer}");
        assert_eq!(ids(&answer), [""; 0]);
        assert!(answer["errors"][0].as_str().unwrap().contains("no repo"), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn any_other_value_is_a_result() {
    for result in [
        json!({ "status": "failed" }),
        json!({}),
        json!([]),
        json!(0),
        json!(false),
        json!({ "success": true }),
        json!("All pass.\nFAILED: 0"),
    ] {
        let (_desk, answer) = report(json!({ "result": result })).await;
        assert_eq!(
            (ids(&answer), answer.get("read_as")),
            (vec!["write"], None),
            "{result}: {answer}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_explicit_success_wins_and_the_answer_says_so() {
    for result in [json!("FAILED: 2 of 90 tests"), json!({ "success": false, "tests": 90 })] {
        let (_desk, answer) = report(json!({ "result": result, "success": true })).await;
        assert_eq!(ids(&answer), ["write"], "{answer}");
        let read_as = answer["read_as"].as_str().unwrap();
        assert!(read_as.starts_with("a result, since `success` is true, although"), "{read_as}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_empty_or_says_no_reason_is_refused() {
    for (more, expected) in [
        (json!({ "result": "" }), "The `result` is empty"),
        (json!({ "result": " \n" }), "The `result` is empty"),
        (json!({ "result": "", "success": true }), "The `result` is empty"),
        (json!({ "result": null }), "for a failure pass `error_message`"),
        (json!({ "result_file": "empty.md" }), "empty.md` is empty"),
        (json!({ "result_file": "null.json" }), "null.json` is empty"),
        (json!({ "result_file": "absent.md" }), "cannot be read"),
        (json!({ "success": false }), "needs `error_message`"),
        (json!({ "result": "FAILED:" }), "needs `error_message`"),
        (json!({ "success": true, "error_message": "x" }), "Pass `result`"),
        (json!({ "result": 1, "success": "maybe" }), "`success` must be true or false"),
        (json!({ "result": 1, "cause": "auth" }), "`cause` belongs to a failure"),
        (json!({ "error_message": "x", "cause": "aut" }), "did you mean `auth`?"),
    ] {
        let (_desk, answer) = report(more.clone()).await;
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(error.contains(expected), "{more}: {answer}");
    }
}
