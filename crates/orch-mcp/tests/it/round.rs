//! Whole runs in which only the parent speaks MCP.

use std::collections::VecDeque;
use std::fs;

use serde_json::{Value, json};

use crate::client::{Client, Project};

fn project() -> Project {
    Project::new(&[
        ("researcher", "Researches markets, competitors and prices"),
        ("writer", "Writes and edits texts: reports, summaries"),
        ("reviewer", "Reviews texts and code, finds mistakes"),
    ])
}

/// Two that can start, two that wait for one of them each, one for both of these, one for that.
fn six() -> Value {
    json!([
        { "id": "market", "description": "Research the market for e-bikes in Austria" },
        { "id": "prices", "description": "Research the prices of the five largest competitors" },
        { "id": "market-text", "description": "Write two pages on the market", "dependencies": ["market"] },
        { "id": "price-text", "description": "Write one page on prices", "dependencies": ["prices"] },
        { "id": "report", "description": "Write the report out of both texts", "dependencies": ["market-text", "price-text"] },
        { "id": "review", "description": "Review the report and list its mistakes", "dependencies": ["report"] },
    ])
}

#[test]
fn six_subtasks_from_delegation_to_aggregate_in_24_kb() {
    let project = project();
    let mut client = Client::start(&project);
    let task = "Find out whether we should sell e-bikes in Austria, and write it down";
    let mut answer = client.ok(
        "alma_delegate_task",
        json!({ "task": task, "subtasks": six(), "aggregation": "concatenate" }),
    );
    let run = answer["orchestration_id"].clone();
    let (mut done, mut reports) = (Vec::new(), 0);
    let mut open: VecDeque<Value> = answer["ready"].as_array().unwrap().clone().into();
    assert_eq!(open.len(), 2, "both that can start are handed out: {answer}");
    while let Some(entry) = open.pop_front() {
        let id = entry["subtask_id"].as_str().unwrap().to_owned();
        // What an agent does: it reads its inputs and writes its result.
        let prompt = entry["prompt"].as_str().unwrap();
        for input in prompt.lines().filter_map(|line| line.split_once(": .orch/")) {
            let read = fs::read_to_string(project.path().join(".orch").join(input.1)).unwrap();
            assert!(read.starts_with("result of"), "{read}");
        }
        let file = project.path().join(entry["result_file"].as_str().unwrap());
        fs::write(file, format!("result of {id}")).unwrap();
        let report = json!({
            "orchestration_id": run, "subtask_id": id, "attempt": entry["attempt"],
            "result_file": entry["result_file"],
        });
        answer = client.ok("alma_report_subtask", report.clone());
        assert_eq!(answer["answer"], "accepted", "{answer}");
        reports += 1;
        if id == "prices" {
            let again = client.ok("alma_report_subtask", report);
            assert_eq!(again["answer"], "duplicate");
            open.extend(again["ready"].as_array().unwrap().iter().cloned());
        }
        done.push(id);
        open.extend(answer["ready"].as_array().unwrap().iter().cloned());
    }
    assert_eq!(reports, 6, "{done:?}");
    assert_eq!(answer["status"], "completed", "{answer}");
    let output = answer["aggregated_output"].as_array().unwrap();
    assert_eq!(output.len(), 6);
    assert_eq!(output[4]["output"], "result of report");
    println!(
        "six subtasks: {} bytes of arguments and answers, {} on the wire",
        client.seen, client.wire
    );
    assert!(client.seen <= 24 * 1024, "{}", client.seen);
    let (well, rest) = client.close();
    assert!(well && rest.is_empty(), "{rest:?}");
}

#[test]
fn values_that_a_merge_drops_are_counted_named_and_kept_in_a_file() {
    let project = project();
    let mut client = Client::start(&project);
    let subtasks: Vec<Value> = (0..5)
        .map(|n| json!({ "id": format!("s{n}"), "description": "Review the text" }))
        .collect();
    let mut answer = client
        .ok("alma_delegate_task", json!({ "task": "Review all texts", "subtasks": subtasks }));
    let run = answer["orchestration_id"].clone();
    for n in 0..5 {
        let result = json!({ "summary": format!("text {n}"), format!("of {n}"): n });
        let report =
            json!({ "orchestration_id": run, "subtask_id": format!("s{n}"), "result": result });
        answer = client.ok("alma_report_subtask", report);
    }
    assert_eq!(answer["aggregated_output"]["summary"], "text 4", "{answer}");
    assert_eq!(answer["values_dropped"], 4);
    let conflicts = answer["conflicts"].as_array().unwrap();
    assert_eq!(conflicts.len(), 4, "three of them, and how many more: {answer}");
    assert_eq!(
        conflicts[0],
        "at /summary: \"text 4\" of `s4` (confidence 1.00) stands, \"text 0\" of `s0` (confidence 1.00) is dropped; `s4` comes later in the plan"
    );
    let file = project.path().join(answer["conflicts_file"].as_str().unwrap());
    let kept: Vec<String> = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert!(kept.len() == 4 && kept[3].contains("\"text 3\" of `s3`"), "{kept:?}");
}

#[test]
fn what_a_client_reads_at_its_start_is_small_and_complete() {
    let project = project();
    let mut client = Client::start(&project);
    let answer = client.request("tools/list", json!({}));
    let size = answer["result"].to_string().len();
    println!("tools/list: {size} bytes");
    assert!(size <= 8 * 1024, "{size}");
    let tools = answer["result"]["tools"].as_array().unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    let expected = [
        "alma_delegate_task",
        "alma_report_subtask",
        "alma_claim_subtask",
        "alma_orchestration_status",
        "alma_cancel_orchestration",
    ];
    assert_eq!(names, expected);
    for tool in tools {
        for field in ["title", "description", "inputSchema", "outputSchema", "annotations"] {
            assert!(tool.get(field).is_some(), "{tool}: {field}");
        }
    }
}

#[test]
fn status_and_cancel_answer_over_the_wire() {
    let project = project();
    let mut client = Client::start(&project);
    let answer = client.ok("alma_delegate_task", json!({ "task": "Review the code" }));
    let run = json!({ "orchestration_id": answer["orchestration_id"] });
    let status = client.ok("alma_orchestration_status", run.clone());
    assert_eq!((&status["status"], &status["counts"]["running"]), (&json!("active"), &json!(1)));
    let cancelled = client.ok("alma_cancel_orchestration", run);
    assert_eq!(cancelled["success"], true);
    let refused = client.call(
        "alma_report_subtask",
        json!({ "orchestration_id": "no", "subtask_id": "x", "result": 1 }),
    );
    assert_eq!(refused["isError"], true);
    assert_eq!(refused["structuredContent"]["success"], false);
    assert!(
        refused["structuredContent"]["error"]
            .as_str()
            .unwrap()
            .contains("call alma_orchestration_status")
    );
}

#[test]
fn an_agent_file_that_is_none_is_said_on_stderr_and_the_others_are_there() {
    let project = Project::new(&[("Bad Name", "x"), ("reviewer", "Reviews code")]);
    let mut client = Client::start(&project);
    let answer = client.ok("alma_delegate_task", json!({ "task": "Review the code" }));
    assert_eq!(answer["ready"][0]["worker"], "reviewer");
    let stderr = fs::read_to_string(project.path().join("stderr.txt")).unwrap();
    assert!(stderr.contains("Bad Name.md:2") && stderr.contains("skipped"), "{stderr}");
}

#[test]
fn pull_workers_of_the_configuration_are_there_and_its_commands_are_not_run() {
    let project = Project::new(&[]);
    let config = "
workers:
  shell:
    command: [touch, ran]
    capabilities: [{ name: shell, task_types: ['*'] }]
  ann:
    pull: true
    capabilities: [{ name: audit, task_types: [audit] }]
";
    fs::write(project.path().join("orch.yaml"), config).unwrap();
    let mut client = Client::start(&project);
    let subtasks = json!([
        { "id": "books", "description": "Look at the books", "task_type": "audit" },
        { "id": "rest", "description": "Do the rest", "task_type": "other" },
    ]);
    let answer = client.ok("alma_delegate_task", json!({ "task": "All", "subtasks": subtasks }));
    assert_eq!(answer["ready"][0]["worker"], "ann", "{answer}");
    assert_eq!(answer["ready"][1]["worker"], "general-purpose", "{answer}");
    assert!(!project.path().join("ran").exists());
}
