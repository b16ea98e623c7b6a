//! Scopes, as a person configures them.

use serde_json::Value;

use crate::support::Project;

/// A configuration of three readers who say what they were given, the second of whom inherits from the first.
fn config(supervisor: &str, ann: &str) -> String {
    let reader = |name: &str, rest: &str| {
        format!(
            "  {name}: {{ command: [cat], output: json, capabilities: [{{ name: read, task_types: [read] }}], {rest} }}\n"
        )
    };
    let ann = reader("ann", &format!("scope: {ann}"));
    let bob = reader("bob", "memory_tokens: 500, scope: { inherit_from: [ann] }");
    format!("supervisor: {supervisor}\nworkers:\n{ann}{bob}{}", reader("eve", "scope: {}"))
}

fn project(supervisor: &str, ann: &str) -> Project {
    let task = |worker: &str| {
        format!(
            "description: Read\nsubtasks: [{{ id: a, task_type: read, description: Read the first book, constraints: {{ require_worker: {worker} }} }}]\n"
        )
    };
    Project::new(&[
        ("orch.yaml", &config(supervisor, ann)),
        ("ann.yaml", &task("ann")),
        ("bob.yaml", &task("bob")),
        ("eve.yaml", &task("eve")),
    ])
}

/// Runs a task, and returns the memory that its worker was given.
#[track_caller]
fn remembered(project: &Project, task: &str) -> Value {
    let done = project.orch(&["--json", "run", task]).exits(0);
    done.json()["subtask_results"][0]["output"]["memory_slice"].clone()
}

#[test]
fn a_worker_is_given_what_another_shares_and_only_if_it_asks() {
    let shares = project("{}", "{ share_with: [bob] }");
    assert_eq!(remembered(&shares, "ann.yaml"), Value::Null);
    let given = remembered(&shares, "bob.yaml");
    assert_eq!(given["outcomes"][0], "`ann`: Succeeded: Read the first book", "{given}");
    assert_eq!(remembered(&shares, "eve.yaml"), Value::Null, "it does not ask");

    let keeps_nothing = project("{}", "{ share_with: [bob], cannot_learn: [read] }");
    remembered(&keeps_nothing, "ann.yaml");
    let given = remembered(&keeps_nothing, "bob.yaml");
    assert_eq!(given["outcomes"], serde_json::json!([]), "{given}");
}

#[test]
fn what_a_scope_forbids_names_its_rule() {
    let private = project("{}", "{ share_with: [eve] }");
    private.orch(&["run", "ann.yaml"]).exits(2).says(
        "workers.bob.scope.inherit_from: `bob` may not read what `ann` has learned: `share_with` in the scope of `ann` does not name `bob`",
    );
    let idle =
        project("{ name: boss, scope: { can_orchestrate: false } }", "{ share_with: [bob] }");
    for command in [["run", "ann.yaml"], ["run", "bob.yaml"]] {
        idle.orch(&command)
            .exits(4)
            .says("`boss` may not run tasks: `can_orchestrate` of its scope is false");
    }
    let unlearned = project("{ scope: { cannot_learn: ['*'] } }", "{ share_with: [bob] }");
    unlearned.orch(&["run", "ann.yaml"]).exits(0);
    unlearned
        .orch(&["feedback", "--score", "1"])
        .exits(1)
        .says("`cannot_learn` of its scope names it");
}

#[test]
fn a_program_puts_its_lessons_into_its_result() {
    let worker = |name: &str, scope: &str| {
        let said = r#"{"$orch":{"output":1,"metadata":{"lessons":["Books are heavy"]}}}"#;
        format!(
            "  {name}: {{ command: [echo, '{said}'], output: json, capabilities: [{{ name: {name}, task_types: [{name}] }}], scope: {scope} }}\n"
        )
    };
    let task = "description: Read\nsubtasks: [{ id: a, task_type: ann, description: Read }, { id: b, task_type: bob, description: Read }]\n";
    let config =
        format!("workers:\n{}{}", worker("ann", "{}"), worker("bob", "{ can_learn: [x] }"));
    let project = Project::new(&[("orch.yaml", &config), ("task.yaml", task)]);
    let done = project.orch(&["run", "task.yaml"]).exits(0);
    done.says("lesson `Books are heavy` of `bob`: `bob` may not learn about `bob`: `can_learn` of its scope does not name it");
    let shown = project.orch(&["memory", "show"]).exits(0).stdout;
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 3, "{shown}");
    assert!(
        lines[0].starts_with("`ann` at `ann`") && lines[2].starts_with("`bob` at `bob`"),
        "{shown}"
    );
    assert_eq!(lines[1], "  - Books are heavy");
}
