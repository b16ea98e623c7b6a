//! What a person does with memory: look at it, decide about rules, erase.

use std::collections::HashSet;

use orch_core::learned::Expectation;
use orch_core::{ProjectId, RunId, WorkerName};
use serde::Serialize;

use crate::learned::{Heuristic, Known, Rule, Ruling, Verdict, rules};
use crate::{LearnedMemory, MemoryError};

/// How much is known of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MemoryStats {
    /// The project.
    pub project: ProjectId,
    /// How many attempts were learned from.
    pub outcomes: u64,
    /// How many workers are known.
    pub workers: u64,
    /// How many types of subtask are known.
    pub task_types: u64,
    /// How many rules that makes, those included that a person has forbidden.
    pub rules: u64,
    /// How many past runs and subtasks are kept as examples.
    pub examples: u64,
    /// How many runs of all projects in the store were learned from.
    pub runs_of_all_projects: u64,
}

/// What is known of a worker at a type of subtask.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WorkerRecord {
    /// The type.
    pub task_type: String,
    /// The worker.
    pub worker: WorkerName,
    /// What is to be expected of it, as of the latest day on which something was learned in the project.
    pub expected: Expectation,
    /// What it says that it has learned, the newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lessons: Vec<String>,
}

/// What is to be forgotten: everything of the project that fits all that is given.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Forget {
    /// The project.
    pub project: ProjectId,
    /// Only what is known of this type.
    pub task_type: Option<String>,
    /// Only what is known of this worker.
    pub worker: Option<WorkerName>,
    /// Only the texts of this run. What it has added to sums stays, since a run cannot be told from the others in them.
    pub run: Option<RunId>,
}

impl Forget {
    /// Chooses everything of a project.
    pub fn all_of(project: ProjectId) -> Self {
        Self { project, task_type: None, worker: None, run: None }
    }

    /// Tells whether it is everything of the project.
    pub(crate) fn is_everything(&self) -> bool {
        self.task_type.is_none() && self.worker.is_none() && self.run.is_none()
    }

    /// Chooses only what is known of a type.
    #[must_use]
    pub fn with_task_type(mut self, task_type: Option<String>) -> Self {
        self.task_type = task_type;
        self
    }

    /// Chooses only what is known of a worker.
    #[must_use]
    pub fn with_worker(mut self, worker: Option<WorkerName>) -> Self {
        self.worker = worker;
        self
    }

    /// Chooses only the texts of a run.
    #[must_use]
    pub fn with_run(mut self, run: Option<RunId>) -> Self {
        self.run = run;
        self
    }
}

/// How much is, or would be, forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Forgotten {
    /// Workers at a type of subtask.
    pub workers: u64,
    /// Types of task.
    pub tasks: u64,
    /// Past runs and subtasks.
    pub examples: u64,
    /// Past runs that are kept without a part of theirs.
    pub parts: u64,
    /// Decisions about rules; only with everything else of the project.
    pub rulings: u64,
}

impl LearnedMemory {
    /// Returns how much is known of `project`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn stats(&self, project: &ProjectId) -> Result<MemoryStats, MemoryError> {
        let known = self.store.known(project, None).await?;
        let (examples, runs_of_all_projects) = self.store.counts(project).await?;
        let cells = || known.workers.values().flatten();
        let workers: HashSet<&WorkerName> = cells().map(|(worker, _)| worker).collect();
        Ok(MemoryStats {
            project: project.clone(),
            outcomes: cells().map(|(_, summary)| summary.attempts).sum(),
            workers: workers.len() as u64,
            task_types: known.workers.len() as u64,
            rules: self.rules_of(project, &known).len() as u64,
            examples,
            runs_of_all_projects,
        })
    }

    /// Returns all rules of `project`, those with the greatest confidence first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn rules(&self, project: &ProjectId) -> Result<Vec<Rule>, MemoryError> {
        Ok(self.rules_of(project, &self.store.known(project, None).await?))
    }

    fn rules_of(&self, project: &ProjectId, known: &Known) -> Vec<Rule> {
        rules(project, known, self.scopes.supervisor().min_occurrences_for_heuristic)
    }

    /// Returns what is known of each worker at each type of subtask, in the order of types and names.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn records(&self, project: &ProjectId) -> Result<Vec<WorkerRecord>, MemoryError> {
        let known = self.store.workers(project).await?;
        let latest = known.iter().filter_map(|(_, stats)| Some(stats.summary()?.latest)).max();
        let records = known.into_iter().filter_map(|(cell, stats)| {
            let lessons = stats.lessons.newest_first().into_iter().map(str::to_owned).collect();
            let expected = stats.summary()?.expectation(latest?);
            Some(WorkerRecord { task_type: cell.task_type, worker: cell.worker, expected, lessons })
        });
        Ok(records.collect())
    }

    /// Pins or forbids a rule as it is now, or with `None` lets it be learned again.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn decide(
        &self,
        project: &ProjectId,
        heuristic: &Heuristic,
        verdict: Option<Verdict>,
        note: &str,
    ) -> Result<(), MemoryError> {
        let ruling = verdict.map(|verdict| Ruling {
            verdict,
            note: note.to_owned(),
            heuristic: heuristic.clone(),
        });
        self.store.rule(project, heuristic.id(), ruling.as_ref()).await
    }

    /// Returns the runs of a project of which there are texts and whose ids begin with `prefix`, each with the text of its task: at
    /// most 20, in the order of their ids.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn runs(
        &self,
        project: &ProjectId,
        prefix: &str,
    ) -> Result<Vec<(RunId, String)>, MemoryError> {
        self.store.runs(project, prefix).await
    }

    /// Forgets what is chosen, unless `dry`; returns how much it is. What was forgotten is not learned again from the same runs.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn forget(&self, what: &Forget, dry: bool) -> Result<Forgotten, MemoryError> {
        self.store.forget(what, dry).await
    }

    /// Gives room back that is not needed any more.
    ///
    /// # Errors
    /// When the store fails, for example because somebody else is using it.
    pub async fn vacuum(&self) -> Result<(), MemoryError> {
        self.store.vacuum().await
    }
}
