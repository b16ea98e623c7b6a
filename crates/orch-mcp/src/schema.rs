//! The tools as clients see them: names, titles, when to use which, and schemas. Kept small: every client reads them at every
//! start.

use std::sync::Arc;

use rmcp::model::{Tool, ToolAnnotations};
use serde_json::{Map, Value, json};

/// What the server says about itself: the loop.
pub(crate) const INSTRUCTIONS: &str = "Delegate large tasks: alma_delegate_task splits one and returns `ready` subtasks. For each, start your agent `worker` with `prompt` verbatim, all at once. When one ends, call alma_report_subtask with its `attempt` and `result_file`, or with `error_message` if it answers FAILED:. The answer has the next `ready` ones. Repeat until `status` is completed, partial or failed; the aggregate comes with the last answer. Agents need not speak MCP. After trouble or a restart: alma_orchestration_status.";

/// Makes the list of tools.
pub(crate) fn tools() -> Vec<Tool> {
    vec![
        tool(
            "alma_delegate_task",
            "Delegate a task",
            "Split a large task among your agents and get the subtasks that can start now. The same arguments again within 10 minutes return the open orchestration.",
            [false, false, true],
            object(
                &["task"],
                json!({
                    "task": text("What is to be done"),
                    "task_type": { "type": "string" },
                    "context": { "type": "object", "description": "Data for all; a list `items` makes one subtask per item" },
                    "subtasks": { "type": "array", "description": "A plan of your own", "items": object(
                        &["id", "description"],
                        json!({
                            "id": { "type": "string" },
                            "description": { "type": "string" },
                            "task_type": { "type": "string" },
                            "dependencies": list("Ids to be done first"),
                            "worker": text("The one agent to do it"),
                            "context": { "type": "object" },
                            "priority": { "type": "integer", "minimum": 0, "maximum": 100 },
                            "required": text_of("boolean", "true: all fails without it; false: it does not count"),
                        }),
                    ) },
                    "workers": list("Choose among; default: all"),
                    "mode": { "enum": ["external", "managed", "mixed"], "description": "Who works: your agents (default), those of orch.yaml, both" },
                    "constraints": object(&[], json!({
                        "require_worker": { "type": "string" },
                        "exclude_workers": list(""),
                        "prefer": list(""),
                        "tags": list("Capabilities it must have"),
                        "max_cost_usd": { "type": "number" },
                    })),
                    "strategy": { "enum": ["parallel", "adaptive", "sequential"] },
                    "aggregation": { "enum": ["merge", "concatenate", "auto"] },
                    "deadline": text("A time, or a span such as 30m"),
                    "budget": object(&[], json!({
                        "max_cost_usd": { "type": "number", "minimum": 0 },
                        "max_tokens": { "type": "integer", "minimum": 0 },
                    })),
                    "request_key": text("Same key and arguments, same orchestration"),
                }),
            ),
            with_work(json!({ "plan": { "type": "array" }, "plan_more": { "type": "integer" } })),
        ),
        tool(
            "alma_report_subtask",
            "Report a subtask",
            "Report what an agent made of a subtask, or that it failed; returns what can start next, at last the aggregate. Twice is harmless.",
            [false, false, true],
            object(
                &["orchestration_id", "subtask_id"],
                json!({
                    "orchestration_id": { "type": "string" },
                    "subtask_id": { "type": "string" },
                    "attempt": text("As handed out"),
                    "result": { "description": "Text or JSON; a failure if it has success: false or begins with FAILED:" },
                    "result_file": text("A project file the agent wrote, instead of result"),
                    "success": text_of("boolean", "false: it failed; true: a result whatever it says"),
                    "error_message": text("Why it failed"),
                    "cause": { "enum": ["reported", "timeout", "rate_limit", "auth", "invalid_input", "unavailable"] },
                    "worker": { "type": "string" },
                    "usage": object(&[], json!({
                        "input_tokens": { "type": "integer" },
                        "output_tokens": { "type": "integer" },
                        "cost_usd": { "type": "number" },
                    })),
                    "lessons": list("Learned for next time"),
                    "next": { "enum": ["all", "own", "none"], "description": "Hand out all that is ready (default), one for this worker, nothing" },
                    "request_key": { "type": "string" },
                }),
            ),
            with_work(json!({
                "answer": { "enum": ["accepted", "received", "duplicate", "stale", "rejected"] },
                "read_as": { "type": "string" },
                "subtask_id": { "type": "string" },
            })),
        ),
        tool(
            "alma_claim_subtask",
            "Claim a subtask",
            "Get one more subtask that is ready, with its prompt: when `more_ready` said so, or after an agent was lost.",
            [false, false, false],
            object(
                &["orchestration_id"],
                json!({
                    "orchestration_id": { "type": "string" },
                    "subtask_id": { "type": "string" },
                    "worker": text("The agent that claims for itself"),
                    "slots": { "type": "integer", "minimum": 1, "description": "Held at most; 1 when worker is given" },
                    "request_key": { "type": "string" },
                }),
            ),
            with_work(json!({})),
        ),
        tool(
            "alma_orchestration_status",
            "Orchestration status",
            "See how an orchestration stands, wait for it, resume it, get a prompt again, or list open ones. With your own agents not needed while all goes well.",
            [false, false, true],
            object(
                &[],
                json!({
                    "orchestration_id": text("Without it: list the open ones"),
                    "subtask_id": text("Only this, with prompt and attempt"),
                    "wait_s": { "type": "integer", "minimum": 0, "description": "Wait until it is over or you can act: at most 25 s, with progress 100" },
                    "resume": text_of("boolean", "Go on with a suspended one"),
                    "detail": { "type": "boolean" },
                    "cursor": text("next_cursor of the last answer"),
                }),
            ),
            with_run(json!({
                "worker_status": { "type": "array" },
                "not_done": { "type": "array" },
                "subtasks": { "type": "array" },
                "handed_out": { "type": "object" },
                "orchestrations": { "type": "array" },
                "next_cursor": { "type": "string" },
            })),
        ),
        tool(
            "alma_cancel_orchestration",
            "Cancel an orchestration",
            "End an orchestration for good with what it has. Only when the user wants that.",
            [false, true, true],
            object(&["orchestration_id"], json!({ "orchestration_id": { "type": "string" } })),
            with_run(json!({ "cleanup_summary": { "type": "object" } })),
        ),
    ]
}

/// The three hints: read-only, destructive, idempotent.
fn tool(
    name: &'static str,
    title: &str,
    description: &'static str,
    [read_only, destructive, idempotent]: [bool; 3],
    input: Value,
    output: Value,
) -> Tool {
    let annotations = ToolAnnotations::from_raw(
        None,
        Some(read_only),
        Some(destructive),
        Some(idempotent),
        Some(false),
    );
    Tool::new(name, description, schema(input))
        .with_title(title)
        .with_annotations(annotations)
        .with_raw_output_schema(schema(output))
}

fn schema(value: Value) -> Arc<Map<String, Value>> {
    match value {
        Value::Object(map) => Arc::new(map),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Arc::default()
        }
    }
}

fn object(required: &[&str], properties: Value) -> Value {
    let mut schema = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema["additionalProperties"] = json!(false);
    schema
}

fn text(description: &str) -> Value {
    text_of("string", description)
}

fn text_of(kind: &str, description: &str) -> Value {
    json!({ "type": kind, "description": description })
}

fn list(description: &str) -> Value {
    let mut schema = json!({ "type": "array", "items": { "type": "string" } });
    if !description.is_empty() {
        schema["description"] = json!(description);
    }
    schema
}

/// What every answer may have. Answers may grow, so additional properties are allowed.
fn with_run(more: Value) -> Value {
    let mut properties = json!({
        "success": { "type": "boolean" },
        "message": { "type": "string" },
        "orchestration_id": { "type": "string" },
        "status": { "type": "string" },
        "aggregated_output": {},
        "output_file": { "type": "string" },
        "errors": { "type": "array" },
    });
    extend(&mut properties, more);
    json!({ "type": "object", "properties": properties, "required": ["success"] })
}

fn with_work(more: Value) -> Value {
    let mut all = json!({
        "next_subtask": { "type": ["string", "null"] },
        "ready": { "type": "array", "items": { "type": "object", "required": ["subtask_id", "attempt", "worker", "prompt", "result_file", "lease_until"] } },
        "more_ready": { "type": "integer" },
        "next": { "type": "string" },
    });
    extend(&mut all, more);
    with_run(all)
}

fn extend(properties: &mut Value, more: Value) {
    if let (Value::Object(all), Value::Object(more)) = (properties, more) {
        all.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_client_reads_is_small() {
        assert!(INSTRUCTIONS.len() <= 600, "{}", INSTRUCTIONS.len());
        let size = serde_json::to_vec(&json!({ "tools": tools() })).unwrap().len();
        println!("tools/list: {size} bytes, instructions: {} bytes", INSTRUCTIONS.len());
        assert!(size <= 8 * 1024, "{size}");
    }

    #[test]
    fn every_property_of_a_schema_is_an_argument_and_the_other_way_round() {
        for tool in tools() {
            let properties = &tool.input_schema["properties"];
            let listed: Vec<&String> = properties.as_object().unwrap().keys().collect();
            let unknown = Map::from_iter([("no_such_argument".to_owned(), Value::Null)]);
            let error = crate::server::arguments_error(&tool.name, unknown).unwrap();
            let known: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
            assert_eq!(listed, known, "{}", tool.name);
        }
    }
}
