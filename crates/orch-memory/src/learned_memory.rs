//! The memory that learns from the journal.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use orch_core::journal::{Journal, RunFilter};
use orch_core::learned::PastRun;
use orch_core::{
    BoxError, ComplexTask, Memory, MemorySlice, MemorySnapshot, OrchestrationOutcome, ProjectId,
    RunId, Seq, Subtask, WorkerName,
};

use crate::learned::{Evidence, Parts, Scope, Store, Told, evidence, similar, slice, view};
use crate::sqlite::SqliteStore;
use crate::{Embedder, HashedNgrams, MemoryError, OpenError, SqliteOptions};

/// The most past runs in a snapshot, and the most past subtasks in a slice.
const SIMILAR_RUNS: usize = 16;
const SIMILAR_STEPS: usize = 8;
/// How many runs are looked at for something to learn from.
const CAUGHT_UP: u32 = 1_000;
/// How many runs are learned from in one transaction at most: others wait for it.
const TOGETHER: usize = 64;

/// A [`Memory`] that learns from the events of a journal, and keeps what it has learned as sums in a store.
///
/// What an event says is added exactly once, whoever folds it and how often: the watermark of its run moves in the same
/// transaction. Any number of processes may share a store.
pub struct LearnedMemory {
    pub(crate) store: Arc<dyn Store>,
    journal: Arc<dyn Journal>,
    embedder: Arc<dyn Embedder>,
}

impl fmt::Debug for LearnedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LearnedMemory").finish_non_exhaustive()
    }
}

impl LearnedMemory {
    /// Opens the memory in the SQLite file at `path`, which may be the journal's; creates it unless it is only to be read.
    ///
    /// # Errors
    /// When the file cannot be used; see [`OpenError`].
    pub async fn sqlite(
        path: impl AsRef<Path>,
        options: &SqliteOptions,
        journal: Arc<dyn Journal>,
    ) -> Result<Self, OpenError> {
        let store = SqliteStore::open(path.as_ref(), options).await?;
        Ok(Self { store: Arc::new(store), journal, embedder: Arc::new(HashedNgrams::new()) })
    }

    /// Sets what compares texts; by default [`HashedNgrams`].
    #[must_use]
    pub fn with_embedder(mut self, embedder: impl Embedder) -> Self {
        self.embedder = Arc::new(embedder);
        self
    }

    /// Learns from the events of `run` that nobody has learned from yet; returns whether there were any.
    ///
    /// # Errors
    /// When journal or store fail; nothing is learned then, and can be later.
    pub async fn fold(&self, run: RunId) -> Result<bool, MemoryError> {
        Ok(self.fold_runs(&[run]).await? > 0)
    }

    /// Learns from several runs as [`fold`](Self::fold) does, up to 64 of them in one transaction; returns from how many.
    ///
    /// # Errors
    /// As there; what was learned before the failure is kept.
    pub async fn fold_runs(&self, runs: &[RunId]) -> Result<usize, MemoryError> {
        let heads = self.journal.heads(runs).await.map_err(|source| MemoryError::Store {
            doing: "see how far runs have come",
            source: source.into(),
        })?;
        self.fold_all(&heads).await
    }

    /// Learns from whatever is new in the newest 1,000 runs of `project`, for example from runs whose process was killed before
    /// it could; returns from how many.
    ///
    /// # Errors
    /// As [`fold`](Self::fold); what was learned before the failure is kept.
    pub async fn catch_up(&self, project: &ProjectId) -> Result<usize, MemoryError> {
        let filter = RunFilter::new().with_project(project.clone()).with_limit(CAUGHT_UP);
        let rows = self.journal.rows(&filter).await.map_err(|source| MemoryError::Store {
            doing: "list the runs to learn from",
            source: source.into(),
        })?;
        let heads: Vec<(RunId, Seq)> = rows.iter().map(|row| (row.head.run, row.seq)).collect();
        self.fold_all(&heads).await
    }

    /// Folds those of the runs whose last events are beyond their watermarks.
    async fn fold_all(&self, heads: &[(RunId, Seq)]) -> Result<usize, MemoryError> {
        let mut folded = 0;
        for heads in heads.chunks(TOGETHER) {
            let runs: Vec<RunId> = heads.iter().map(|(run, _)| *run).collect();
            let watermarks = self.store.watermarks(&runs).await?;
            let mut gathered = Vec::new();
            for (run, seq) in heads {
                let after = watermarks.get(run).copied().unwrap_or(Seq(0));
                if *seq > after {
                    gathered.extend(self.evidence(*run, after).await?);
                }
            }
            if !gathered.is_empty() {
                // What another process has learned meanwhile is left out.
                folded += self.store.add(gathered).await?;
            }
        }
        Ok(folded)
    }

    async fn evidence(&self, run: RunId, after: Seq) -> Result<Option<Evidence>, MemoryError> {
        let events = self.journal.load(run, Seq(0)).await;
        let events = events.map_err(|source| MemoryError::Journal { run, source })?;
        Ok(evidence(run, &events, after))
    }

    async fn parts(&self, project: &ProjectId, task: &ComplexTask) -> Result<Parts, MemoryError> {
        let scope = Scope { project, agent: None, task_type: &task.task_type };
        let found =
            similar(&*self.store, &*self.embedder, &scope, &task.description, SIMILAR_RUNS).await?;
        let runs: Vec<RunId> = found.iter().map(|(_, found)| found.run).collect();
        let mut past: HashMap<String, PastRun> = self
            .store
            .past_runs(&runs)
            .await?
            .into_iter()
            .map(|past| (past.outcome.id.clone(), past))
            .collect();
        let similar: Vec<(f64, PastRun)> = found
            .iter()
            .filter_map(|(score, found)| Some((*score, past.remove(&outcome_id(found.run))?)))
            .collect();
        let steps = similar.iter().flat_map(|(_, past)| &past.steps);
        let types: BTreeSet<String> = std::iter::once(task.task_type.clone())
            .chain(steps.map(|step| step.task_type.clone()))
            .collect();
        let types: Vec<String> = types.into_iter().collect();
        Ok(Parts {
            histories: self.store.histories(project).await?,
            workers: self.store.workers(project, Some(&types)).await?,
            tasks: self.store.task(project, &task.task_type).await?,
            similar,
            rulings: self.store.rulings(project).await?,
        })
    }
}

#[async_trait]
impl Memory for LearnedMemory {
    async fn snapshot(
        &self,
        project: &ProjectId,
        task: &ComplexTask,
    ) -> Result<MemorySnapshot, BoxError> {
        let parts = self.parts(project, task).await?;
        Ok(view(project, &task.task_type, parts).into())
    }

    async fn slice(
        &self,
        project: &ProjectId,
        worker: &WorkerName,
        subtask: &Subtask,
        max_tokens: u32,
    ) -> Result<MemorySlice, BoxError> {
        let scope = Scope { project, agent: Some(worker), task_type: &subtask.task_type };
        let query = &subtask.description;
        let found = similar(&*self.store, &*self.embedder, &scope, query, SIMILAR_STEPS).await?;
        let types = std::slice::from_ref(&subtask.task_type);
        let known = self.store.workers(project, Some(types)).await?;
        let known = known.iter().find(|(cell, _)| cell.worker == *worker).map(|(_, stats)| stats);
        Ok(slice(subtask, known, &found, max_tokens))
    }

    async fn record_outcome(&self, outcome: &OrchestrationOutcome) -> Result<(), BoxError> {
        let run = run_of(&outcome.id)?;
        self.fold(run).await?;
        let told = Told {
            supervisor: outcome.supervisor.clone(),
            worker_utilization: outcome.worker_utilization.clone(),
        };
        match self.store.told(run, &told).await? {
            true => Ok(()),
            false => Err(MemoryError::UnknownRun(run).into()),
        }
    }

    async fn feedback(&self, run: RunId, score: f64, note: &str) -> Result<(), BoxError> {
        if !(0.0..=1.0).contains(&score) {
            return Err(MemoryError::Score(score).into());
        }
        self.fold(run).await?;
        match self.store.feedback(run, score, note).await? {
            true => Ok(()),
            false => Err(MemoryError::UnknownRun(run).into()),
        }
    }
}

fn outcome_id(run: RunId) -> String {
    format!("orch_{run}")
}

fn run_of(outcome: &str) -> Result<RunId, MemoryError> {
    let run = outcome.strip_prefix("orch_").and_then(|run| run.parse().ok());
    run.ok_or_else(|| MemoryError::NotAnOutcome(outcome.to_owned()))
}
