//! Where delegated runs come from, and who caused what happened in them.

use orch_core::Event;
use serde_json::json;

use crate::agents::events;
use crate::client::{Client, Project};

#[test]
fn the_client_and_its_trace_are_recorded_with_what_it_causes() {
    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let project = Project::new(&[("writer", "Writes texts")]);
    let mut server = Client::start(&project);
    let arguments = json!({
        "task": "Write a page",
        "subtasks": [{ "id": "page", "description": "Write it", "worker": "writer" }],
    });
    let answer = server.request(
        "tools/call",
        json!({ "name": "alma_delegate_task", "arguments": arguments, "_meta": { "traceparent": TRACE } }),
    );
    let answer = &answer["result"]["structuredContent"];
    let run = answer["orchestration_id"].as_str().unwrap_or_else(|| panic!("{answer}"));
    let attempt = &answer["ready"][0]["attempt"];
    server.ok(
        "alma_report_subtask",
        json!({ "orchestration_id": run, "subtask_id": "page", "attempt": attempt, "result": "A page." }),
    );
    let events = events(&project, run);
    let Event::RunSubmitted { origin, .. } = &events[0].event else { panic!("{:?}", events[0]) };
    assert_eq!(origin.client.as_ref().unwrap().to_string(), "test 1");
    assert_eq!(origin.traceparent.as_deref(), Some(TRACE));
    assert_eq!((&origin.parent, origin.depth), (&None, 0));
    let by = |name| {
        let found = events.iter().find(|recorded| recorded.event.name() == name).unwrap();
        found.by.as_deref().cloned()
    };
    for (name, agent) in [
        ("run_submitted", None),
        ("attempt_started", Some("writer")),
        ("subtask_completed", Some("writer")),
    ] {
        let by = by(name).unwrap_or_else(|| panic!("nobody caused {name}"));
        assert_eq!(by.client.unwrap().to_string(), "test 1", "{name}");
        assert_eq!(by.process.as_deref(), Some("orch-mcp"), "{name}");
        assert_eq!(by.agent.as_ref().map(|agent| agent.as_str()), agent, "{name}");
    }
    for name in ["plan_adopted", "attempt_offered", "run_ended"] {
        assert_eq!(by(name).and_then(|by| by.agent), None, "{name} was not caused by an agent");
    }
}
