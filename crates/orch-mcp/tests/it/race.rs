//! Many servers and many clients on one store: who claims at the same moment as others gets what nobody else has, and every
//! report counts once. `ORCH_RACE_ROUNDS` sets how many runs they race for.

use std::collections::BTreeMap;

use orch_memory::testing::TestDatabase;
use serde_json::{Value, json};

use crate::client::{Client, Project};

const SERVERS: usize = 8;
/// At each server.
const CLIENTS: usize = 8;
const ROUNDS: usize = 3;
/// How often all clients ask until there is nothing left.
const TURNS: usize = 20;

/// All clients of all servers make their calls at the same time; the answers are in the order of the calls, by server.
fn all_at_once(
    servers: &mut [Client],
    tool: &str,
    mut arguments: impl FnMut(usize) -> Vec<Value>,
) -> Vec<Value> {
    let begun: Vec<Vec<u64>> = (servers.iter_mut().enumerate())
        .map(|(place, server)| {
            let calls = arguments(place).into_iter();
            let params = calls.map(|arguments| json!({ "name": tool, "arguments": arguments }));
            params.map(|params| server.begin("tools/call", params)).collect()
        })
        .collect();
    let mut answers = Vec::new();
    for (server, ids) in servers.iter_mut().zip(begun) {
        let mut by_id: BTreeMap<u64, Value> = BTreeMap::new();
        while by_id.len() < ids.len() {
            let message = server.receive();
            let id = message["id"].as_u64().unwrap();
            by_id.insert(id, message["result"]["structuredContent"].clone());
        }
        answers.extend(by_id.into_values());
    }
    answers
}

/// Hands everything of a run out to all that ask; returns who holds what.
fn hand_out(
    servers: &mut [Client],
    run: &str,
    first: &Value,
    total: usize,
) -> Vec<(String, String)> {
    let mut holders = Holders::default();
    holders.take(run, first);
    for _ in 0..TURNS {
        let claim =
            json!({ "orchestration_id": run, "worker": "general-purpose", "slots": 10_000 });
        for answer in all_at_once(servers, "alma_claim_subtask", |_| vec![claim.clone(); CLIENTS]) {
            holders.take(run, &answer);
        }
        if holders.0.len() == total {
            break;
        }
    }
    assert_eq!(holders.0.len(), total, "everything is claimed in the end");
    holders.0.into_iter().collect()
}

/// The attempt of each subtask that was handed out.
#[derive(Default)]
struct Holders(BTreeMap<String, String>);

impl Holders {
    fn take(&mut self, run: &str, answer: &Value) {
        for handed in answer["ready"].as_array().into_iter().flatten() {
            let text = |field: &str| handed[field].as_str().unwrap().to_owned();
            let other = self.0.insert(text("subtask_id"), text("attempt"));
            assert_eq!(other, None, "{} of {run} has two holders", handed["subtask_id"]);
        }
    }
}

#[test]
fn each_subtask_in_a_file_has_one_holder_and_each_report_counts_once() {
    race(&Project::new(&[]));
}

#[test]
fn each_subtask_in_postgresql_has_one_holder_and_each_report_counts_once() {
    let Some(database) = TestDatabase::create() else { return };
    let project = Project::new(&[]);
    let config = format!("store: {}\n", database.url());
    std::fs::write(project.path().join("orch.yaml"), config).unwrap();
    race(&project);
}

fn race(project: &Project) {
    let rounds =
        std::env::var("ORCH_RACE_ROUNDS").ok().map_or(ROUNDS, |text| text.parse().unwrap());
    let mut servers: Vec<Client> =
        (0..SERVERS).map(|_| Client::start_with(project, &["--trust"])).collect();
    let total = SERVERS * CLIENTS;
    let subtasks: Vec<Value> = (0..total)
        .map(|place| json!({ "id": format!("s{place}"), "description": "do it", "task_type": "work" }))
        .collect();
    for round in 0..rounds {
        let owner = round % SERVERS;
        let task = json!({ "task": format!("Race {round}"), "subtasks": subtasks });
        let first = servers[owner].ok("alma_delegate_task", task);
        let run = first["orchestration_id"].as_str().unwrap().to_owned();
        let attempts = hand_out(&mut servers, &run, &first, total);
        // Everybody reports, and one of them what another has reported already.
        let report = |place: usize| {
            let (subtask, attempt) = &attempts[place % total];
            json!({ "orchestration_id": run, "subtask_id": subtask, "attempt": attempt, "result": subtask, "next": "none" })
        };
        let mut answers = all_at_once(&mut servers, "alma_report_subtask", |server| {
            (0..CLIENTS).map(|client| report(server * CLIENTS + client)).collect()
        });
        answers.extend(all_at_once(&mut servers[..1], "alma_report_subtask", |_| vec![report(0)]));
        let said: Vec<&str> =
            answers.iter().filter_map(|answer| answer["answer"].as_str()).collect();
        assert_eq!(said.len(), total + 1, "{answers:?}");
        assert_eq!(said.iter().filter(|word| **word == "accepted").count(), total, "{said:?}");
        assert_eq!(said[total], "duplicate");
        let status = servers[(owner + 1) % SERVERS]
            .ok("alma_orchestration_status", json!({ "orchestration_id": run }));
        assert_eq!(
            (&status["status"], &status["counts"]["done"]),
            (&json!("completed"), &json!(total))
        );
    }
}
