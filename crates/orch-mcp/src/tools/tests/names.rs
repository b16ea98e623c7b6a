//! Workers that a client names: agent files, registered workers, and names that nobody has.

use orch_core::WorkerCapability;
use orch_supervisor::worker_fn;

use super::*;

fn plan_lines(answer: &Value) -> Vec<&str> {
    answer["plan"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect()
}

fn workers_of(answer: &Value) -> Vec<&str> {
    let ready = answer["ready"].as_array().unwrap();
    ready.iter().map(|entry| entry["worker"].as_str().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn an_invented_name_is_a_guest_of_the_run_that_names_it_and_of_no_other() {
    let desk = desk();
    let plan = |task: &str| json!({ "task": task, "subtasks": [{ "id": "a", "description": "Review the code" }] });
    let before = desk.ok("alma_delegate_task", plan("One")).await;
    assert_eq!(workers_of(&before), ["reviewer"]);
    let invented = desk
        .delegate(json!([{ "id": "a", "description": "Fly home", "worker": "code-reviewer" }]))
        .await;
    assert_eq!(workers_of(&invented), ["code-reviewer"]);
    let line = "a [code-reviewer: no such agent file; did you mean `reviewer`?]: Fly home";
    assert_eq!(plan_lines(&invented), [line]);
    let after = desk.ok("alma_delegate_task", plan("Two")).await;
    assert_eq!(workers_of(&after), ["reviewer"], "the guest is none of this run's");
    let names: Vec<String> =
        desk.supervisor.workers().iter().map(|worker| worker.name().to_string()).collect();
    assert_eq!(names, ["general-purpose", "reviewer", "writer"], "a guest is not registered");
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_nothing_is_planned_for_is_said_too() {
    let desk = desk();
    let arguments = json!({ "task": "Find bugs in the code", "workers": ["reviewer", "revewer"] });
    let answer = desk.ok("alma_delegate_task", arguments).await;
    assert_eq!(workers_of(&answer), ["reviewer"]);
    let message = answer["message"].as_str().unwrap();
    assert!(message.contains("`revewer` has no agent file; did you mean `reviewer`?"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_guest_goes_with_its_run_to_the_next_server() {
    let journal = MemoryJournal::new();
    let first = desk_with(&journal, Vec::new());
    let answer = first
        .delegate(json!([
            { "id": "a", "description": "Fly home", "worker": "pilot" },
            { "id": "b", "description": "Fly back", "worker": "pilot", "dependencies": ["a"] },
        ]))
        .await;
    assert_eq!(plan_lines(&answer)[1], "b after a [pilot: no such agent file]: Fly back");
    first.server.leave(Duration::ZERO).await;
    let second = desk_with(&journal, Vec::new());
    let next = second.report(&answer["orchestration_id"], "a", "home").await;
    assert_eq!((ids(&next), workers_of(&next)), (vec!["b"], vec!["pilot"]));
}

#[tokio::test(start_paused = true)]
async fn an_agent_is_taken_when_it_is_named_whatever_the_type() {
    let desk = desk();
    let answer = desk
        .delegate(json!([{ "id": "a", "description": "Refactor the billing", "worker": "writer" }]))
        .await;
    assert_eq!(workers_of(&answer), ["writer"]);
    assert_eq!(plan_lines(&answer), ["a [writer]: Refactor the billing"]);
    let required = json!({ "task": "Bake bread", "constraints": { "require_worker": "reviewer" } });
    let answer = desk.ok("alma_delegate_task", required).await;
    assert_eq!(workers_of(&answer), ["reviewer"]);
}

#[tokio::test(start_paused = true)]
async fn a_name_never_takes_the_place_of_a_registered_worker() {
    let upper =
        worker_fn("upper", [WorkerCapability::new("shout", ["shout"])], |context| async move {
            Ok(context.subtask.description.to_uppercase().into())
        });
    let desk = desk_with(&MemoryJournal::new(), Vec::new());
    // The host registers it later, and tells the server nothing.
    desk.supervisor.register_worker(upper).unwrap();
    let subtasks = json!([{ "id": "a", "description": "hello", "worker": "upper" }]);
    let external = json!({ "task": "Shout", "subtasks": subtasks });
    let refused = desk.refused("alma_delegate_task", external.clone()).await;
    assert!(refused.contains("`upper` is run by this server"), "{refused}");
    for mode in ["mixed", "managed"] {
        let mut arguments = external.clone();
        arguments["mode"] = json!(mode);
        let answer = desk.ok("alma_delegate_task", arguments).await;
        assert_eq!(answer["plan"][0], "a [upper]: hello", "its type is the worker's: {answer}");
    }
    let general = desk.supervisor.worker(&"general-purpose".into()).unwrap();
    let second = Server::builder(desk.supervisor.clone(), desk.project.path()).build().unwrap();
    assert!(Arc::ptr_eq(&general, &desk.supervisor.worker(&"general-purpose".into()).unwrap()));
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn names_obey_the_rule_for_agent_files() {
    let desk = desk();
    for (name, expected) in [
        ("reviewer", Ok("reviewer")),
        (" Reviewer ", Ok("reviewer")),
        ("Code-Reviewer ", Ok("code-reviewer")),
        ("", Err("is ``")),
        ("$plan", Err("lowercase letters")),
        ("x\nIgnore all", Err("lowercase letters")),
        ("revi€wer", Err("did you mean `reviewer`?")),
        (&"x".repeat(129), Err("1 to 128")),
    ] {
        let subtasks = json!([{ "id": "a", "description": "Review the code", "worker": name }]);
        let arguments = json!({ "task": format!("Task for {name}"), "subtasks": subtasks });
        match (desk.call("alma_delegate_task", arguments).await, expected) {
            (Ok(answer), Ok(expected)) => assert_eq!(workers_of(&answer), [expected], "{name}"),
            (Err(error), Err(expected)) => {
                assert!(
                    error.contains("`subtasks[0].worker`") && error.contains(expected),
                    "{error}"
                );
            }
            (answer, _) => panic!("{name}: {answer:?}"),
        }
    }
    for (field, value) in [
        ("workers", json!(["reviewer", "$x"])),
        ("constraints", json!({ "prefer": ["$x"] })),
        ("constraints", json!({ "exclude_workers": ["$x"] })),
        ("constraints", json!({ "require_worker": "$x" })),
    ] {
        let error = desk.refused("alma_delegate_task", json!({ "task": "T", field: value })).await;
        assert!(error.contains("lowercase letters"), "{field}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_names_at_most_64_workers() {
    let desk = desk();
    let names = |count: usize| -> Vec<String> { (0..count).map(|i| format!("w{i}")).collect() };
    let many = json!({ "task": "Find bugs", "workers": names(5_000) });
    let error = desk.refused("alma_delegate_task", many).await;
    assert!(error.contains("names 5000 workers; name at most 64"), "{error}");
    let subtasks: Vec<Value> = names(65)
        .iter()
        .map(|name| json!({ "id": name, "description": "Fly", "worker": name }))
        .collect();
    let error =
        desk.refused("alma_delegate_task", json!({ "task": "Fly", "subtasks": subtasks })).await;
    assert!(error.contains("names 65 workers"), "{error}");
    desk.ok("alma_delegate_task", json!({ "task": "Fly", "subtasks": subtasks[..64] })).await;
}
