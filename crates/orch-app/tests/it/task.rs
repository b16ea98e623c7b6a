//! Tasks.

use orch_app::{AppError, TaskFile};
use orch_core::{AggregationStrategy, ExecutionStrategy, RunSettings};
use serde_json::json;

use crate::{folder, issues};

fn read(name: &str, text: &str, sets: &[&str]) -> Result<TaskFile, AppError> {
    let folder = folder(&[(name, text)]);
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    TaskFile::load(&folder.path().join(name), &sets)
}

#[test]
fn a_task_is_what_the_file_says() {
    let text = r#"
id: t-1
description: Audit it
task_type: audit
context: { repo: ., deep: { n: 1 } }
constraints: { exclude_workers: [bob], max_cost_usd: 2 }
deadline: 2030-01-01T00:00:00Z
strategy: sequential
aggregation: concatenate
budget: { max_tokens: 5 }
show: [/a, { B: /b }]
subtasks:
  - { id: a, description: Do a, task_type: x, priority: 90, locks: [db], required: true, gates: [non_empty] }
  - { id: b, description: Do b, dependencies: [a], tolerates: [a], timeout_ms: 10, replicas: 2 }
"#;
    let file = read("job.yaml", text, &["deep.n=2"]).unwrap();
    let task = &file.task;
    assert_eq!(
        (task.id.as_str(), task.task_type.as_str(), file.inferred_type),
        ("t-1", "audit", false)
    );
    assert_eq!(
        serde_json::to_value(&task.context).unwrap(),
        json!({ "repo": ".", "deep": { "n": 2 } })
    );
    assert_eq!(task.constraints.as_ref().unwrap().exclude_workers, ["bob"]);
    assert_eq!(task.deadline.unwrap().to_string(), "2030-01-01T00:00:00Z");
    let settings = file.settings(RunSettings::default());
    assert_eq!(settings.strategy, ExecutionStrategy::Sequential);
    assert_eq!(settings.aggregation.strategy, AggregationStrategy::Concatenate);
    assert_eq!(settings.budget.max_tokens, Some(5));
    assert_eq!(file.show.0.len(), 2);
    let plan = file.plan.as_ref().unwrap();
    assert_eq!((plan.subtasks[0].priority, plan.subtasks[0].required), (90, Some(true)));
    assert_eq!((plan.subtasks[1].replicas, plan.subtasks[1].timeout_ms), (2, Some(10)));
    assert!(plan.subtasks.iter().all(|subtask| subtask.parent_task_id == "t-1"));
    assert_eq!(file.options(RunSettings::default()).plan.as_ref(), Some(plan));
}

#[test]
fn what_a_task_does_not_say_is_inferred_or_left_to_the_configuration() {
    let file = read("nightly.json", r#"{"description": "Test the API"}"#, &[]).unwrap();
    assert_eq!((file.task.id.as_str(), file.task.task_type.as_str()), ("nightly", "testing"));
    assert!(file.inferred_type && file.plan.is_none());
    let configured = RunSettings::default().with_strategy(ExecutionStrategy::Parallel);
    assert_eq!(file.settings(configured.clone()), configured);
    assert!(file.options(configured).plan.is_none());
}

#[test]
fn a_sentence_is_a_task_of_inferred_type() {
    let file = TaskFile::of_description("Query the database", &["n=3".to_owned()]).unwrap();
    assert_eq!((file.task.task_type.as_str(), file.inferred_type), ("database_validation", true));
    assert_eq!(file.task.context["n"], 3);
    assert_eq!(issues(TaskFile::of_description("x", &["n".to_owned()])), ["give it as key=value"]);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let wrong =
        read("t.yaml", "description: x\nconstraints: { prefre: [a] }\nsubtasks:\n  - 1\n", &[]);
    let Err(AppError::Invalid(issues)) = wrong else { panic!("{wrong:?}") };
    let said: Vec<String> = issues
        .0
        .iter()
        .map(|issue| format!("{:?} {}: {}", issue.at, issue.field, issue.message))
        .collect();
    assert_eq!(
        said,
        [
            "Some((2, 16)) constraints.prefre: unknown field `prefre`; did you mean `prefer`?",
            "Some((4, 5)) subtasks[0]: is not a map",
        ]
    );
}
