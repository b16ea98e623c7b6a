//! Plans that are made of a list: of any length, and with every output.

use serde_json::{Value, json};

use crate::support::Project;

const CONFIG: &str = r#"
workers:
  build:
    command: [printf, '{"image": "shop", "digest": "%s"}', "{{ subtask.context.item }}"]
    output: json
    capabilities: [{ name: build, task_types: [build] }]
"#;

const JOIN: &str = r#"
  join:
    command: [printf, "joined"]
    capabilities: [{ name: join, task_types: [summary] }]
"#;

fn project(key: &str, rest: &str) -> Project {
    let task = format!("description: Build it\ntask_type: build\ncontext: {{ {key}: [] }}\n");
    Project::new(&[("orch.yaml", &format!("{CONFIG}{rest}")), ("task.yaml", &task)])
}

fn image(digest: &str) -> Value {
    json!({ "image": "shop", "digest": digest })
}

#[test]
fn a_list_of_any_length_is_done_and_every_output_is_kept() {
    let by_domain = "decomposition: { strategy: domain_based, item_key: images }\n";
    for (key, rest) in [("images", by_domain), ("files", "")] {
        for (list, expected) in [
            ("[a, b]", json!({ "a": image("a"), "b": image("b") })),
            ("[a]", json!({ "a": image("a") })),
            ("[]", json!({})),
        ] {
            let set = format!("{key}={list}");
            let done = project(key, rest).orch(&["run", "-q", "task.yaml", "--set", &set]).exits(0);
            assert_eq!(done.json(), expected, "{set}");
            assert_eq!(done.stderr, "", "{set}");
        }
    }
}

#[test]
fn an_empty_list_is_joined_too_and_said_to_be_empty() {
    let done = project("files", JOIN).orch(&["run", "task.yaml"]).exits(0);
    assert_eq!(done.json(), json!({ "join": "joined" }));
    done.says("the list `files` is empty");
    let done = project("files", "").orch(&["run", "task.yaml"]).exits(0);
    done.says("completed: 0 of 0 done");
}

#[test]
fn a_merge_that_drops_values_says_how_many_and_where_to_see_them() {
    let project = project("files", "aggregation: merge\n");
    let set = ["--set", "files=[a, b, c]"];
    let quiet = project.orch(&[&["run", "-q", "task.yaml"], &set[..]].concat()).exits(0);
    assert_eq!(quiet.json(), image("c"));
    assert!(quiet.stderr.starts_with("2 values were dropped"), "{}", quiet.stderr);
    let hint = quiet.stderr.trim().rsplit_once("see: orch ").unwrap().1;
    let shown = project.orch(&hint.split(' ').collect::<Vec<_>>()).exits(0);
    shown.says("conflict at /digest: \"c\" of `c` (confidence 1.00) stands, \"b\" of `b` (confidence 1.00) is dropped");
}
