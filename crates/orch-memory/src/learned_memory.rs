//! The memory that learns from the journal.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use orch_core::journal::{Journal, RunFilter};
use orch_core::learned::{Learned, PastRun, WorkerStats};
use orch_core::{
    BoxError, ComplexTask, Memory, MemorySlice, MemorySnapshot, OrchestrationOutcome, ProjectId,
    RunId, ScopeError, Scopes, Seq, Subtask, WorkerName,
};

use crate::learned::{
    Cell, Evidence, Scope, Source, Store, evidence, helpful, is_name, record, similar, slice, view,
};
#[cfg(feature = "postgres")]
use crate::postgres::{self, PostgresError, PostgresOptions};
#[cfg(feature = "sqlite")]
use crate::sqlite::{self, OpenError, SqliteOptions};
use crate::{Embedder, HashedNgrams, MemoryError};

/// The most past runs in a snapshot, and the most past subtasks of an agent in a slice.
const SIMILAR_RUNS: usize = 16;
const SIMILAR_STEPS: usize = 8;
/// How many runs are looked at for something to learn from.
const CAUGHT_UP: u32 = 1_000;
/// How many runs are learned from in one transaction at most: others wait for it.
const TOGETHER: usize = 64;

/// A [`Memory`] that learns from the events of a journal, and keeps what it has learned as sums in a store.
///
/// What an event says is added exactly once, however many processes fold it, and how often: the watermark of its run moves in the same
/// transaction. Any number of processes may share a store.
pub struct LearnedMemory {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) journal: Arc<dyn Journal>,
    embedder: Arc<dyn Embedder>,
    pub(crate) scopes: Arc<Scopes>,
    /// Another memory, and the project that it is read for.
    #[cfg(feature = "alma")]
    pub(crate) alma: Option<(ProjectId, crate::Alma)>,
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
    #[cfg(feature = "sqlite")]
    pub async fn sqlite(
        path: impl AsRef<std::path::Path>,
        options: &SqliteOptions,
        journal: Arc<dyn Journal>,
    ) -> Result<Self, OpenError> {
        Ok(Self::of(sqlite::open_memory(path.as_ref(), options).await?, journal))
    }

    /// Opens the memory in the PostgreSQL database at `url`, which may be the journal's; makes its tables unless they are only to be
    /// read.
    ///
    /// # Errors
    /// When the database cannot be used; see [`PostgresError`].
    #[cfg(feature = "postgres")]
    pub async fn postgres(
        url: &str,
        options: &PostgresOptions,
        journal: Arc<dyn Journal>,
    ) -> Result<Self, PostgresError> {
        Ok(Self::of(postgres::open_memory(url, options).await?, journal))
    }

    fn of(store: Arc<dyn Store>, journal: Arc<dyn Journal>) -> Self {
        Self {
            store,
            journal,
            embedder: Arc::new(HashedNgrams::new()),
            scopes: Arc::default(),
            #[cfg(feature = "alma")]
            alma: None,
        }
    }

    /// Closes the connections to the store, after what goes on; whatever is asked afterwards fails. Dropping it loses nothing that
    /// was learned, but the WAL file beside a SQLite file may be left then, and belongs to it.
    ///
    /// Close the memory before the journal when both are in one file: the last connection that is closed leaves the file
    /// whole.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// Sets who may learn and read what; without, everybody learns everything and nobody reads what others have learned.
    ///
    /// What a scope forbids is not learned, and is not learned later from the same runs. What was learned before is kept, and
    /// read by nobody while a scope forbids it.
    #[must_use]
    pub fn with_scopes(mut self, scopes: impl Into<Arc<Scopes>>) -> Self {
        self.scopes = scopes.into();
        self
    }

    /// Sets what compares texts; by default [`HashedNgrams`].
    #[must_use]
    pub fn with_embedder(mut self, embedder: impl Embedder) -> Self {
        self.embedder = Arc::new(embedder);
        self
    }

    /// Reads what ALMA knows, too, when workers of `project` are told what may help them; and tells ALMA of the project's runs,
    /// if it is to be written.
    #[cfg(feature = "alma")]
    #[must_use]
    pub fn with_alma(mut self, project: ProjectId, alma: crate::Alma) -> Self {
        self.alma = Some((project, alma));
        self
    }

    /// Returns the memory of ALMA that is read or written.
    #[cfg(feature = "alma")]
    pub fn alma(&self) -> Option<&crate::Alma> {
        self.alma.as_ref().map(|(_, alma)| alma)
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
    /// As there, with the first failure; what could be learned is kept.
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
    /// As [`fold`](Self::fold), with the first failure; what could be learned is kept.
    pub async fn catch_up(&self, project: &ProjectId) -> Result<usize, MemoryError> {
        let filter = RunFilter::new().with_project(project.clone()).with_limit(CAUGHT_UP);
        let rows = self.journal.rows(&filter).await.map_err(|source| MemoryError::Store {
            doing: "list the runs to learn from",
            source: source.into(),
        })?;
        let heads: Vec<(RunId, Seq)> = rows.iter().map(|row| (row.head.run, row.seq)).collect();
        self.fold_all(&heads).await
    }

    /// Folds those of the runs whose last events are beyond their watermarks. One that cannot be learned from keeps nobody from
    /// learning from the others.
    async fn fold_all(&self, heads: &[(RunId, Seq)]) -> Result<usize, MemoryError> {
        let (mut folded, mut failed) = (0, None);
        for heads in heads.chunks(TOGETHER) {
            let runs: Vec<RunId> = heads.iter().map(|(run, _)| *run).collect();
            let watermarks = self.store.watermarks(&runs).await?;
            let mut gathered = Vec::new();
            for (run, seq) in heads {
                let after = watermarks.get(run).copied().unwrap_or(Seq(0));
                if *seq <= after {
                    continue;
                }
                match self.evidence(*run, after).await {
                    Ok(evidence) => gathered.extend(evidence),
                    Err(error) => drop(failed.get_or_insert(error)),
                }
            }
            if !gathered.is_empty() {
                // What another process has learned meanwhile is left out.
                folded += self.store.add(gathered).await?;
            }
        }
        #[cfg(feature = "alma")]
        self.tell_alma().await;
        failed.map_or(Ok(folded), Err)
    }

    async fn evidence(&self, run: RunId, after: Seq) -> Result<Option<Evidence>, MemoryError> {
        let events = self.journal.load(run, Seq(0)).await;
        let events = events.map_err(|source| MemoryError::Journal { run, source })?;
        let evidence = evidence(run, &events, after, &self.scopes);
        for reason in evidence.iter().flat_map(|evidence| &evidence.refused) {
            tracing::warn!(%run, %reason, "not learned");
        }
        #[cfg(feature = "alma")]
        let evidence = evidence
            .map(|evidence| Evidence { is_to_be_told: self.is_to_be_told(&evidence), ..evidence });
        Ok(evidence)
    }

    /// Returns what the supervisor knows that may help with a task.
    async fn learned(
        &self,
        project: &ProjectId,
        task: &ComplexTask,
    ) -> Result<Learned, MemoryError> {
        let supervisor = self.scopes.supervisor();
        let may_know =
            |task_type: &str| is_name(task_type) && supervisor.may_learn(task_type).is_ok();
        // Nothing is known of a type that is no name, but of workers there is.
        let task_type = Some(&*task.task_type).filter(|task_type| is_name(task_type));
        let mut known = self.store.known(project, Some(task_type.unwrap_or_default())).await?;
        known.workers.retain(|task_type, _| may_know(task_type));
        let mut similar = Vec::new();
        if may_know(&task.task_type) {
            similar = self.similar_runs(project, task).await?;
        } else {
            known.tasks.clear();
        }
        let enough = supervisor.min_occurrences_for_heuristic;
        Ok(view(project, &task.task_type, known, similar, enough))
    }

    async fn similar_runs(
        &self,
        project: &ProjectId,
        task: &ComplexTask,
    ) -> Result<Vec<(f64, PastRun)>, MemoryError> {
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
        let with_outcome = found
            .iter()
            .filter_map(|(score, found)| Some((*score, past.remove(&outcome_id(found.run))?)));
        Ok(with_outcome.collect())
    }

    /// Returns what the supervisor knows that a worker who inherits from it may read: the rule about subtasks of this type, and
    /// similar runs.
    async fn of_supervisor(
        &self,
        project: &ProjectId,
        subtask: &Subtask,
    ) -> Result<Source, MemoryError> {
        let like = ComplexTask::new("", subtask.description.clone(), subtask.task_type.clone());
        let learned = self.learned(project, &like).await?;
        let rule = learned.routing_rule(&subtask.task_type);
        let rule = rule.map(|rule| format!("{}: {}.", rule.condition, rule.routing_strategy));
        let runs = learned.similar.into_iter().map(|(score, past)| {
            (score, past.outcome.overall_success, past.outcome.task_description.clone())
        });
        Ok(Source {
            rules: rule.into_iter().collect(),
            examples: runs.collect(),
            ..Source::default()
        })
    }

    /// Returns what another memory knows that one of `agents` has learned, and that both it and `reader` may know.
    #[cfg(feature = "alma")]
    async fn elsewhere(
        &self,
        project: &ProjectId,
        reader: &WorkerName,
        agents: &[String],
        subtask: &Subtask,
    ) -> MemorySlice {
        let may_know = |agent: &str, topic: &str| {
            [reader.as_str(), agent].iter().all(|who| self.scopes.of(who).may_learn(topic).is_ok())
        };
        match &self.alma {
            Some((of, alma)) if of == project => {
                let (embedder, task) = (&*self.embedder, &subtask.task_type);
                alma.recall(embedder, agents, may_know, task, &subtask.description).await
            }
            Some(_) | None => MemorySlice::new(),
        }
    }

    #[cfg(not(feature = "alma"))]
    async fn elsewhere(
        &self,
        _: &ProjectId,
        _: &WorkerName,
        _: &[String],
        _: &Subtask,
    ) -> MemorySlice {
        MemorySlice::new()
    }

    /// Returns what a worker has learned that may help with a subtask.
    async fn of_worker(
        &self,
        project: &ProjectId,
        worker: &WorkerName,
        subtask: &Subtask,
    ) -> Result<Source, MemoryError> {
        let scope = Scope { project, agent: Some(worker), task_type: &subtask.task_type };
        let query = &subtask.description;
        let found = similar(&*self.store, &*self.embedder, &scope, query, SIMILAR_STEPS).await?;
        let enough = self.scopes.of(worker.as_str()).min_occurrences_for_heuristic;
        // How workers did is the supervisor's to know.
        let may_know = self.scopes.supervisor().may_learn(&subtask.task_type).is_ok();
        let cell = Cell { task_type: subtask.task_type.clone(), worker: worker.clone() };
        let mut known = self.store.worker(project, &cell).await?.unwrap_or_default();
        if !may_know {
            let lessons = std::mem::take(&mut known.lessons);
            known = WorkerStats::default();
            known.lessons = lessons;
        }
        let rule = (known.history.total().count() >= u64::from(enough.max(1)))
            .then(|| record(&subtask.task_type, &known));
        let examples = found.into_iter().map(|(score, found)| (score, found.success, found.text));
        Ok(Source {
            from: None,
            lessons: helpful(&known.lessons, query),
            failures: known.failures,
            rules: rule.into_iter().collect(),
            examples: examples.collect(),
        })
    }

    /// Returns why nothing may be learned from a run, if so.
    async fn refusal(&self, run: RunId) -> Result<Option<ScopeError>, MemoryError> {
        let row = self.journal.row(run).await;
        let row = row.map_err(|source| MemoryError::Journal { run, source })?;
        let task_type = match row {
            Some(row) => Some(row.head.task_type),
            // It came by an import.
            None => {
                let past = self.store.past_runs(&[run]).await?.pop();
                past.map(|past| past.outcome.task_type)
            }
        };
        let supervisor = self.scopes.supervisor();
        Ok(task_type.and_then(|task_type| supervisor.may_learn(&task_type).err()))
    }
}

#[async_trait]
impl Memory for LearnedMemory {
    async fn snapshot(
        &self,
        project: &ProjectId,
        task: &ComplexTask,
    ) -> Result<MemorySnapshot, BoxError> {
        Ok(self.learned(project, task).await?.into())
    }

    async fn slice(
        &self,
        project: &ProjectId,
        worker: &WorkerName,
        subtask: &Subtask,
        max_tokens: u32,
    ) -> Result<MemorySlice, BoxError> {
        let mut sources = Vec::new();
        let agents = self.scopes.sources(worker.as_str(), &subtask.task_type)?;
        if !is_name(&subtask.task_type) {
            return Ok(MemorySlice::new());
        }
        let elsewhere = self.elsewhere(project, worker, &agents, subtask).await;
        for agent in agents {
            let name = WorkerName::new(agent.as_str());
            let source = if agent == self.scopes.supervisor().agent_name {
                self.of_supervisor(project, subtask).await?
            } else {
                self.of_worker(project, &name, subtask).await?
            };
            let from = (name != *worker).then_some(agent);
            sources.push(Source { from, ..source });
        }
        Ok(slice(&sources, &elsewhere, max_tokens))
    }

    async fn record_outcome(&self, outcome: &OrchestrationOutcome) -> Result<(), BoxError> {
        // The journal says all of it, so that it is the same in any process, at any time.
        let run = run_of(&outcome.id)?;
        self.fold(run).await?;
        match self.store.watermarks(&[run]).await?.contains_key(&run) {
            true => Ok(()),
            false => Err(MemoryError::UnknownRun(run).into()),
        }
    }

    async fn feedback(&self, run: RunId, score: f64, note: &str) -> Result<(), BoxError> {
        if !(0.0..=1.0).contains(&score) {
            return Err(MemoryError::Score(score).into());
        }
        // Also about what was learned before the scope forbade it.
        if let Some(error) = self.refusal(run).await? {
            return Err(MemoryError::Scope(error).into());
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
