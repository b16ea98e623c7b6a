//! Resources, and the prompt that teaches the loop.

use std::fs;

use serde_json::{Value, json};

use crate::client::{Client, Project};

fn read(client: &mut Client, uri: &str) -> Value {
    let answer = client.request("resources/read", json!({ "uri": uri }));
    let contents = &answer["result"]["contents"][0];
    assert_eq!(
        (&contents["uri"], &contents["mimeType"]),
        (&json!(uri), &json!("application/json"))
    );
    serde_json::from_str(contents["text"].as_str().unwrap_or_else(|| panic!("{answer}"))).unwrap()
}

#[test]
fn runs_are_resources_with_plan_graph_and_results() {
    let project = Project::new(&[("reviewer", "Reviews code")]);
    let mut client = Client::start(&project);
    assert_eq!(read(&mut client, "alma://orchestrations"), json!({ "orchestrations": [] }));
    let subtasks = json!([
        { "id": "a \"b\"", "description": "Review the code of a" },
        { "id": "c", "description": "Review the code of c", "dependencies": ["a \"b\""] },
    ]);
    let arguments = json!({ "task": "Review all", "subtasks": subtasks });
    let answer = client.ok("alma_delegate_task", arguments);
    let run = answer["orchestration_id"].as_str().unwrap();
    client.ok(
        "alma_report_subtask",
        json!({ "orchestration_id": run, "subtask_id": "a \"b\"", "result": "fine" }),
    );

    let uri = format!("alma://orchestrations/{run}");
    let listed = client.request("resources/list", json!({}));
    let uris: Vec<&Value> =
        listed["result"]["resources"].as_array().unwrap().iter().map(|r| &r["uri"]).collect();
    assert_eq!(uris, [&json!("alma://orchestrations"), &json!(uri)]);
    let templates = client.request("resources/templates/list", json!({}));
    let template = &templates["result"]["resourceTemplates"][0]["uriTemplate"];
    assert_eq!(template, "alma://orchestrations/{orchestration_id}");

    let all = read(&mut client, "alma://orchestrations");
    let line = &all["orchestrations"][0];
    assert_eq!((&line["uri"], &line["status"]), (&json!(uri), &json!("active")));
    let one = read(&mut client, &uri);
    assert_eq!(
        one["graph"],
        "graph TD\n  s0[\"a #quot;b#quot;: done\"]\n  s1[\"c: running\"]\n  s0 --> s1\n"
    );
    assert_eq!(one["subtasks"][1]["dependencies"], json!(["a \"b\""]));
    let file = project.path().join(one["subtasks"][0]["result_file"].as_str().unwrap());
    assert_eq!(fs::read_to_string(file).unwrap(), "fine");

    for uri in [
        "alma://orchestrations/01890a5d-ac96-774b-bcce-b302099a8057",
        "alma://orchestrations/",
        "alma://orchestrationsx",
        "alma://stats",
        "file:///etc/passwd",
    ] {
        let answer = client.request("resources/read", json!({ "uri": uri }));
        assert!(answer["error"]["message"].as_str().unwrap().contains("There is no"), "{answer}");
    }
}

#[test]
fn a_large_run_is_a_bounded_resource() {
    let project = Project::new(&[]);
    let mut client = Client::start(&project);
    let subtasks: Vec<Value> = (0..400)
        .map(|i| json!({ "id": format!("s{i}"), "description": "x".repeat(300) }))
        .collect();
    let arguments = json!({ "task": "Review all", "subtasks": subtasks });
    let answer = client.ok("alma_delegate_task", arguments);
    let uri = format!("alma://orchestrations/{}", answer["orchestration_id"].as_str().unwrap());
    let one = read(&mut client, &uri);
    let shown = one["subtasks"].as_array().unwrap().len();
    assert!(shown > 50, "{shown}");
    assert_eq!(one["subtasks_more"].as_u64().unwrap() as usize, 400 - shown);
    assert!(one.to_string().len() < 64 * 1024, "{}", one.to_string().len());
}

#[test]
fn a_prompt_teaches_the_loop() {
    let project = Project::new(&[]);
    let mut client = Client::start(&project);
    let listed = client.request("prompts/list", json!({}));
    let prompt = &listed["result"]["prompts"][0];
    assert_eq!(
        (&prompt["name"], &prompt["arguments"][0]["name"]),
        (&json!("orchestrate"), &json!("task"))
    );
    let arguments = json!({ "name": "orchestrate", "arguments": { "task": "Ship the shop" } });
    let answer = client.request("prompts/get", arguments);
    let text = answer["result"]["messages"][0]["content"]["text"].as_str().unwrap();
    for part in ["Task: Ship the shop", "alma_delegate_task", "alma_report_subtask", "`ready`"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for (params, expected) in [
        (json!({ "name": "other" }), "There is no prompt `other`"),
        (json!({ "name": "orchestrate" }), "`task` is missing"),
        (json!({ "name": "orchestrate", "arguments": { "task": " " } }), "`task` is missing"),
    ] {
        let answer = client.request("prompts/get", params);
        assert!(answer["error"]["message"].as_str().unwrap().contains(expected), "{answer}");
    }
}
