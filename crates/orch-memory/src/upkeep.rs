//! What a person does with memory: look at it, decide about rules, move it elsewhere, erase.

use std::collections::HashSet;
use std::io::{BufRead, Write};

use orch_core::learned::Expectation;
use orch_core::{ProjectId, RunId, WorkerName};
use serde::Serialize;

use crate::learned::{Heuristic, Known, Record, Rule, Ruling, VERSION, Verdict, rules};
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
    /// Only the texts of this run. What it has added to sums stays: a sum has no text, and a run cannot be told from the others.
    pub run: Option<RunId>,
}

impl Forget {
    /// Chooses everything of a project.
    pub fn all_of(project: ProjectId) -> Self {
        Self { project, task_type: None, worker: None, run: None }
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

    /// Writes everything, of all projects, as JSON lines; returns how many.
    ///
    /// # Errors
    /// When the store fails or `out` does.
    pub async fn export(&self, out: &mut (dyn Write + Send)) -> Result<u64, MemoryError> {
        let mut lines = 0;
        let mut write = |record: &Record| {
            let doing = "write the export";
            let failed = |source| MemoryError::Store { doing, source };
            serde_json::to_writer(&mut *out, record).map_err(|error| failed(error.into()))?;
            lines += 1;
            out.write_all(b"\n").map_err(|error| failed(error.into()))
        };
        write(&Record::OrchMemory { version: VERSION })?;
        self.store.export(&mut write).await?;
        Ok(lines)
    }

    /// Adds an export, in one transaction; returns from how many runs it has learned. Does nothing when all its runs are known
    /// already, so that the same export can be imported again.
    ///
    /// # Errors
    /// When it is none, when some of its runs are known and some are not (their sums cannot be told apart), or when the store
    /// fails; nothing was changed then.
    pub async fn import(&self, lines: &mut (dyn BufRead + Send)) -> Result<usize, MemoryError> {
        let records = read(lines)?;
        let folded: Vec<(RunId, orch_core::Seq)> = records
            .iter()
            .filter_map(|record| match record {
                Record::Folded { run, seq } => Some((*run, *seq)),
                Record::OrchMemory { .. }
                | Record::Worker { .. }
                | Record::Task { .. }
                | Record::Past(_)
                | Record::Ruling { .. } => None,
            })
            .collect();
        let (mut known, mut partly) = (0, 0);
        for runs in folded.chunks(500) {
            let ids: Vec<RunId> = runs.iter().map(|(run, _)| *run).collect();
            let watermarks = self.store.watermarks(&ids).await?;
            partly += watermarks.len();
            let is_known = |(run, seq): &&(RunId, orch_core::Seq)| {
                watermarks.get(run).is_some_and(|watermark| watermark >= seq)
            };
            known += runs.iter().filter(is_known).count();
        }
        match (known == folded.len(), partly) {
            (true, _) => Ok(0),
            (false, 0) => {
                self.store.import(records).await?;
                Ok(folded.len())
            }
            (false, known) => Err(MemoryError::Overlap { known, of: folded.len() }),
        }
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

fn read(lines: &mut (dyn BufRead + Send)) -> Result<Vec<Record>, MemoryError> {
    let mut records = Vec::new();
    for (number, line) in (1..).zip(lines.lines()) {
        let corrupt =
            |source| MemoryError::Corrupt { what: format!("line {number} of the import"), source };
        let line = line.map_err(|error| corrupt(error.into()))?;
        let record: Record = serde_json::from_str(&line).map_err(|error| corrupt(error.into()))?;
        match (number, &record) {
            (1, Record::OrchMemory { version }) if *version == VERSION => {}
            (1, _) => {
                return Err(corrupt(
                    format!("it should say that it is an export of version {VERSION}").into(),
                ));
            }
            _ => records.push(record),
        }
    }
    Ok(records)
}
