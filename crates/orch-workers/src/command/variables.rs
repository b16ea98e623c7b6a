//! The values that templates may use: an allow-list, built only as far as the templates ask.

use std::collections::BTreeMap;

use minijinja::Value;
use orch_core::{JsonMap, Subtask, SubtaskId, WorkerContext};

use super::ProjectPaths;
use super::template::{Pending, Templates};

/// Every name of the first level with its members; no members listed: any, or none.
pub(super) const KNOWN: &[(&str, &[&str])] = &[
    ("task", &["context"]),
    ("subtask", &["id", "description", "task_type", "priority", "context"]),
    ("run", &["id"]),
    ("attempt", &["number", "fence"]),
    ("results", &[]),
    ("config_dir", &[]),
    ("project_dir", &[]),
];

/// The values of one attempt, by name of the first level.
pub(super) struct Variables(pub(super) BTreeMap<&'static str, Value>);

impl Variables {
    /// Returns what the templates can use in the attempt of `context`.
    pub(super) fn of_attempt(
        templates: &Templates,
        folders: &ProjectPaths,
        context: &WorkerContext,
    ) -> Self {
        let mut all = Self::of_plan(templates, folders, &context.subtask, &context.parent_context);
        let attempt = &context.attempt;
        all.set("run", object([("id", Value::from(attempt.run_id.to_string()))]));
        all.set(
            "attempt",
            object([
                ("number", Value::from(attempt.number)),
                ("fence", Value::from(attempt.fence.0)),
            ]),
        );
        if templates.uses("results") {
            let results = context.sibling_results.iter();
            all.set(
                "results",
                results
                    .map(|r| (r.subtask_id.as_str(), Value::from_serialize(&r.output)))
                    .collect(),
            );
        }
        all
    }

    /// Returns what is known before the run; numbers of the run and results of dependencies are stand-ins.
    pub(super) fn of_plan(
        templates: &Templates,
        folders: &ProjectPaths,
        subtask: &Subtask,
        parent_context: &JsonMap,
    ) -> Self {
        let mut all = Self(BTreeMap::new());
        if templates.uses("task") {
            all.set("task", object([("context", Value::from_serialize(parent_context))]));
        }
        if templates.uses("subtask") {
            all.set("subtask", of_subtask(subtask));
        }
        let pending = |id: &SubtaskId| (id.as_str().to_owned(), Value::from_object(Pending));
        all.set("results", subtask.dependencies.iter().map(pending).collect());
        all.set("run", object([("id", Value::from("run"))]));
        all.set("attempt", object([("number", Value::from(1)), ("fence", Value::from(1))]));
        all.set("config_dir", Value::from(folders.config_dir.as_str()));
        all.set("project_dir", Value::from(folders.project_dir.as_str()));
        all
    }

    fn set(&mut self, name: &'static str, value: Value) {
        self.0.insert(name, value);
    }
}

fn of_subtask(subtask: &Subtask) -> Value {
    object([
        ("id", Value::from(subtask.id.as_str())),
        ("description", Value::from(subtask.description.as_str())),
        ("task_type", Value::from(subtask.task_type.as_str())),
        ("priority", Value::from(subtask.priority)),
        ("context", Value::from_serialize(&subtask.context)),
    ])
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    members.into_iter().collect()
}
