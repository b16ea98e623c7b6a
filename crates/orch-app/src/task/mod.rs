//! A task as a person writes it: `task.yaml`, `task.json`, or a sentence on the command line.

mod overrides;
mod show;

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use orch_core::{
    AggregationSettings, Budget, ComplexTask, Constraints, DecompositionPlan, ExecutionStrategy,
    JsonMap, RunSettings, Subtask, infer_task_type,
};
use orch_supervisor::SubmitOptions;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::config::{Aggregation, BudgetSection};
use crate::decode::decode;
use crate::document::{Document, Kind, Step};
use crate::error::AppError;
use crate::issue::{Issue, Issues};

pub use show::{Show, ShowItem};

/// The id of a task that has none, and no file to be named after.
const DEFAULT_ID: &str = "task";
/// The largest task file, in bytes; no more is read of stdin either.
const MAX_TASK_BYTES: u64 = 8 * 1024 * 1024;

/// A task, checked as far as it can be without workers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TaskFile {
    /// The file; `None` for a sentence.
    pub file: Option<PathBuf>,
    /// The task.
    pub task: ComplexTask,
    /// Whether its type was not given, but inferred from the description.
    pub inferred_type: bool,
    /// The plan, when the file has `subtasks`.
    pub plan: Option<DecompositionPlan>,
    /// What of the output a person wants to see.
    pub show: Show,
    strategy: Option<ExecutionStrategy>,
    aggregation: Option<AggregationSettings>,
    budget: Option<Budget>,
    /// Where the subtasks stand, in plan order.
    places: Vec<(u64, u64)>,
}

/// The file as it is written. `subtasks` are read apart, so that a wrong one does not hide the others.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    id: Option<String>,
    description: String,
    task_type: Option<String>,
    #[serde(default)]
    context: JsonMap,
    constraints: Option<Constraints>,
    deadline: Option<Timestamp>,
    strategy: Option<ExecutionStrategy>,
    #[serde(default, deserialize_with = "optional_aggregation")]
    aggregation: Option<Aggregation>,
    budget: Option<BudgetSection>,
    #[serde(default)]
    show: Show,
    #[serde(rename = "subtasks")]
    _subtasks: Option<IgnoredAny>,
}

fn optional_aggregation<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Aggregation>, D::Error> {
    crate::config::word_or_map(deserializer).map(Some)
}

impl TaskFile {
    /// Reads a task file; `sets` are `key=value` pairs that change its context.
    ///
    /// # Errors
    /// When it cannot be read, or with everything that is wrong with it.
    pub fn load(file: &Path, sets: &[String]) -> Result<Self, AppError> {
        let text = orch_files::read_text(file, MAX_TASK_BYTES)
            .map_err(|error| AppError::Read { file: file.to_owned(), source: error.into() })?;
        let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        Ok(Self::parse(&text, Some(file), stem.as_deref().unwrap_or(DEFAULT_ID), sets)?)
    }

    /// Reads a task file from `input`, such as stdin, to its end; what is wrong with it stands in the file `-`.
    ///
    /// # Errors
    /// When it cannot be read, or with everything that is wrong with it.
    pub fn read(input: impl Read, sets: &[String]) -> Result<Self, AppError> {
        let file = Path::new("-");
        let text =
            read_text(input).map_err(|source| AppError::Read { file: "stdin".into(), source })?;
        Ok(Self::parse(&text, Some(file), DEFAULT_ID, sets)?)
    }

    /// Makes a task of a sentence. It declares no context, so `sets` may add any.
    ///
    /// # Errors
    /// With everything that is wrong with `sets`.
    pub fn of_description(description: &str, sets: &[String]) -> Result<Self, AppError> {
        let mut issues = Vec::new();
        let mut context = JsonMap::new();
        overrides::apply(&mut context, sets, overrides::Unknown::Added, &mut issues);
        let task = ComplexTask::new(DEFAULT_ID, description, infer_task_type(description))
            .with_context(context);
        let task = Self {
            file: None,
            task,
            inferred_type: true,
            plan: None,
            show: Show::default(),
            strategy: None,
            aggregation: None,
            budget: None,
            places: Vec::new(),
        };
        Ok(Issues::or(issues, task)?)
    }

    fn parse(
        text: &str,
        file: Option<&Path>,
        default_id: &str,
        sets: &[String],
    ) -> Result<Self, Issues> {
        let document = Document::parse(text, file)?;
        if !matches!(document.root.kind, Kind::Map(_)) {
            return Err(Issues(vec![
                document.issue(&[], "a task is a map with at least `description`"),
            ]));
        }
        let mut issues = Vec::new();
        let read: Option<File> = decode(&document, &[], &mut issues);
        let subtasks = subtasks(&document, &mut issues);
        let Some(mut read) = read else { return Err(Issues(issues)) };
        overrides::apply(&mut read.context, sets, overrides::Unknown::Refused, &mut issues);
        let field = |names: &[&str]| {
            names.iter().map(|name| Step::Key((*name).to_owned())).collect::<Vec<_>>()
        };
        if let Some(fault) = read
            .aggregation
            .as_ref()
            .and_then(|section| crate::config::aggregation_fault(&section.0))
        {
            issues.push(document.issue(&field(&["aggregation"]), fault));
        }
        let budget = match read.budget.map(|budget| budget.checked()).transpose() {
            Ok(budget) => budget,
            Err((name, fault)) => {
                issues.push(document.issue(&field(&["budget", name]), fault));
                None
            }
        };
        let inferred_type = read.task_type.is_none();
        let task_type =
            read.task_type.unwrap_or_else(|| infer_task_type(&read.description).to_owned());
        let task = ComplexTask::new(
            read.id.unwrap_or_else(|| default_id.to_owned()),
            read.description,
            task_type,
        )
        .with_context(read.context)
        .with_constraints(read.constraints)
        .with_deadline(read.deadline);
        let (plan, places) = match subtasks {
            Some(subtasks) => {
                let (subtasks, places): (Vec<_>, Vec<_>) = subtasks.into_iter().unzip();
                let plan = DecompositionPlan::new(
                    subtasks.into_iter().map(|s: Subtask| s.with_parent_task_id(task.id.clone())),
                );
                (Some(plan), places)
            }
            None => (None, Vec::new()),
        };
        let task = Self {
            file: file.map(Path::to_owned),
            task,
            inferred_type,
            plan,
            show: read.show,
            strategy: read.strategy,
            aggregation: read.aggregation.map(|section| section.0),
            budget,
            places,
        };
        Issues::or(issues, task)
    }

    /// Returns the configuration's settings with what the task says otherwise.
    pub fn settings(&self, configured: RunSettings) -> RunSettings {
        let strategy = self.strategy.unwrap_or(configured.strategy);
        let aggregation =
            self.aggregation.clone().unwrap_or_else(|| configured.aggregation.clone());
        let budget = self.budget.clone().unwrap_or_else(|| configured.budget.clone());
        configured.with_strategy(strategy).with_aggregation(aggregation).with_budget(budget)
    }

    /// Returns how the task is submitted with `settings`, which are final: those of [`settings`](Self::settings), as a rule.
    pub fn options(&self, settings: RunSettings) -> SubmitOptions {
        let options = SubmitOptions::new().settings(settings);
        match &self.plan {
            Some(plan) => options.plan(plan.clone()),
            None => options,
        }
    }

    /// Makes an issue of a subtask; `id` need not be in the file.
    pub(crate) fn subtask_issue(&self, id: &str, message: impl Into<String>) -> Issue {
        let mut issue = self.issue(message);
        issue.field = format!("subtask `{id}`");
        let place =
            self.plan.iter().flat_map(|plan| &plan.subtasks).position(|subtask| subtask.id == *id);
        issue.at = place.and_then(|place| self.places.get(place)).copied();
        issue
    }

    /// Makes an issue of the task as a whole.
    pub(crate) fn issue(&self, message: impl Into<String>) -> Issue {
        let mut issue = Issue::new("", message);
        issue.file.clone_from(&self.file);
        issue
    }
}

fn read_text(input: impl Read) -> io::Result<String> {
    let mut text = String::new();
    input.take(MAX_TASK_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_TASK_BYTES {
        return Err(io::Error::other(format!("a task has at most {} MiB", MAX_TASK_BYTES >> 20)));
    }
    Ok(text)
}

type Placed = (Subtask, (u64, u64));

/// Reads the subtasks with their places; `None` when the file has none.
fn subtasks(document: &Document, issues: &mut Vec<Issue>) -> Option<Vec<Placed>> {
    let list = vec![Step::Key("subtasks".to_owned())];
    let node = document.root.get(&list)?;
    let Kind::List(items) = &node.kind else {
        issues.push(document.issue(&list, "is not a list of subtasks"));
        return None;
    };
    let read = items.iter().enumerate().filter_map(|(index, node)| {
        let steps = [list.clone(), vec![Step::Index(index)]].concat();
        let subtask: Subtask = decode(document, &steps, issues)?;
        Some((subtask, node.at))
    });
    Some(read.collect())
}
