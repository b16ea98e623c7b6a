//! Servers that end while a run goes on, and several at once.

use serde_json::{Value, json};

use crate::client::{Client, Project};

fn project() -> Project {
    Project::new(&[("reviewer", "Reviews code")])
}

fn delegate(client: &mut Client) -> Value {
    let subtasks = json!([
        { "id": "a", "description": "Review the code of a", "worker": "guest-agent" },
        { "id": "b", "description": "Review the code of b", "dependencies": ["a"], "worker": "guest-agent" },
        { "id": "c", "description": "Review the code of c", "dependencies": ["b"] },
    ]);
    client.ok(
        "alma_delegate_task",
        json!({ "task": "Review all", "subtasks": subtasks, "aggregation": "concatenate" }),
    )
}

fn report(client: &mut Client, run: &Value, entry: &Value, result: &str) -> Value {
    let arguments = json!({
        "orchestration_id": run, "subtask_id": entry["subtask_id"], "attempt": entry["attempt"], "result": result,
    });
    client.ok("alma_report_subtask", arguments)
}

#[track_caller]
fn ended(answer: &Value) {
    assert_eq!(answer["status"], "completed", "{answer}");
    let output = answer["aggregated_output"].as_array().unwrap();
    let outputs: Vec<&Value> = output.iter().map(|entry| &entry["output"]).collect();
    assert_eq!(outputs, ["of a", "of b", "of c"]);
}

#[test]
fn a_run_goes_on_in_a_new_server_after_kill_9_twice() {
    let project = project();
    let mut client = Client::start(&project);
    let answer = delegate(&mut client);
    let (run, first) = (answer["orchestration_id"].clone(), answer["ready"][0].clone());
    client.kill();

    let mut client = Client::start(&project);
    let answer = report(&mut client, &run, &first, "of a");
    assert_eq!(answer["answer"], "accepted", "an attempt outlives its server: {answer}");
    let second = answer["ready"][0].clone();
    assert_eq!(second["worker"], "guest-agent", "{answer}");
    client.kill();

    let mut client = Client::start(&project);
    assert_eq!(report(&mut client, &run, &first, "of a")["answer"], "duplicate");
    let status = json!({ "orchestration_id": run, "subtask_id": "b" });
    let status = client.ok("alma_orchestration_status", status);
    assert_eq!(status["handed_out"]["attempt"], second["attempt"], "{status}");
    let answer = report(&mut client, &run, &second, "of b");
    ended(&report(&mut client, &run, &answer["ready"][0], "of c"));
}

#[test]
fn a_run_goes_on_after_a_client_has_closed_its_server() {
    let project = project();
    let mut client = Client::start(&project);
    let answer = delegate(&mut client);
    let run = answer["orchestration_id"].clone();
    assert!(client.close().0);
    let mut client = Client::start(&project);
    let list = client.ok("alma_orchestration_status", json!({}));
    assert_eq!(list["orchestrations"][0]["status"], "active", "it was just left: {list}");
    let next = report(&mut client, &run, &answer["ready"][0], "of a");
    let next = report(&mut client, &run, &next["ready"][0], "of b");
    ended(&report(&mut client, &run, &next["ready"][0], "of c"));
}

#[test]
fn reports_and_claims_go_through_any_server_of_the_project() {
    let project = project();
    let (mut owner, mut other) = (Client::start(&project), Client::start(&project));
    let answer = delegate(&mut owner);
    let run = answer["orchestration_id"].clone();
    let next = report(&mut other, &run, &answer["ready"][0], "of a");
    assert_eq!(next["ready"][0]["subtask_id"], "b", "the owner has offered it: {next}");
    let next = report(&mut owner, &run, &next["ready"][0], "of b");
    ended(&report(&mut other, &run, &next["ready"][0], "of c"));
}

#[test]
fn of_two_servers_that_claim_at_once_one_gets_the_subtask() {
    let project = project();
    let mut clients = [Client::start(&project), Client::start(&project), Client::start(&project)];
    let subtasks: Vec<Value> =
        (0..40).map(|i| json!({ "id": format!("s{i}"), "description": format!("Review {i} {}", "x".repeat(1_000)) })).collect();
    let answer =
        clients[0].ok("alma_delegate_task", json!({ "task": "All", "subtasks": subtasks }));
    let run = answer["orchestration_id"].clone();
    let mut held: Vec<String> = answer["ready"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["subtask_id"].to_string())
        .collect();
    let claims = clients.each_mut().map(|client| {
        let run = run.clone();
        move || {
            let claim = || json!({ "orchestration_id": run, "worker": "reviewer", "slots": 64 });
            (0..8).map(|_| client.ok("alma_claim_subtask", claim())).collect::<Vec<Value>>()
        }
    });
    std::thread::scope(|scope| {
        let running = claims.map(|claim| scope.spawn(claim));
        for answer in running.into_iter().flat_map(|claims| claims.join().unwrap()) {
            held.extend(
                answer["ready"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|entry| entry["subtask_id"].to_string()),
            );
        }
    });
    let all = held.len();
    held.sort();
    held.dedup();
    assert_eq!(held.len(), all, "nothing was handed out twice");
    assert!(all >= 24, "{all}");
}
