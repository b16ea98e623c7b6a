//! Which request leads to which run.

use super::*;

fn request(more: Value) -> Value {
    let mut all = json!({ "task": "Find bugs", "subtasks": [{ "id": "a", "description": "Review the code" }] });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all
}

#[tokio::test(start_paused = true)]
async fn a_corrected_request_is_another_run_and_the_same_one_is_not() {
    let desk = desk();
    let first = desk.ok("alma_delegate_task", request(json!({}))).await;
    for same in [json!({}), json!({ "task": " Find bugs\n", "mode": "external" })] {
        let again = desk.ok("alma_delegate_task", request(same)).await;
        assert_eq!(again["orchestration_id"], first["orchestration_id"]);
        assert!(again["message"].as_str().unwrap().contains("same request"), "{again}");
    }
    let mut seen = vec![first["orchestration_id"].clone()];
    for other in [
        json!({ "subtasks": [{ "id": "b", "description": "Review the code" }] }),
        json!({ "subtasks": [{ "id": "a", "description": "Review the code", "worker": "writer" }] }),
        json!({ "subtasks": [] }),
        json!({ "workers": ["reviewer"] }),
        json!({ "mode": "mixed" }),
        json!({ "context": { "in": "shop" } }),
        json!({ "strategy": "sequential" }),
    ] {
        let answer = desk.ok("alma_delegate_task", request(other.clone())).await;
        let run = answer["orchestration_id"].clone();
        assert!(!seen.contains(&run), "{other}");
        assert!(!answer["ready"].as_array().unwrap().is_empty(), "{other}: {answer}");
        seen.push(run);
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_used_for_another_request_is_refused() {
    let desk = desk();
    let first = desk.ok("alma_delegate_task", request(json!({ "request_key": "k" }))).await;
    let again = desk.ok("alma_delegate_task", request(json!({ "request_key": "k" }))).await;
    assert_eq!(first["orchestration_id"], again["orchestration_id"]);
    for other in [json!({ "task": "Bake bread" }), json!({ "workers": ["writer"] })] {
        let mut other = request(other);
        other["request_key"] = json!("k");
        let error = desk.refused("alma_delegate_task", other).await;
        let run = first["orchestration_id"].as_str().unwrap();
        assert!(error.contains("request_key `k` was used for another request"), "{error}");
        assert!(error.contains(run), "{error}");
    }
    desk.ok("alma_delegate_task", request(json!({ "task": "Bake bread", "request_key": "l" })))
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_does_not_change_what_the_server_does_for_its_run() {
    let desk = desk();
    let request = |more: Value| {
        let mut all = request(more);
        all["request_key"] = json!("k");
        all
    };
    let first = desk.ok("alma_delegate_task", request(json!({}))).await;
    let run = first["orchestration_id"].as_str().unwrap().parse().unwrap();
    let error = desk.refused("alma_delegate_task", request(json!({ "mode": "mixed" }))).await;
    assert!(error.contains("was used for another request"), "{error}");
    let served = desk.server.desks.current().unwrap();
    assert!(!served.carries_out(run), "the run is for agents, as its first request said");
}
