//! A task and the workers for it, as short as possible.

use std::num::NonZeroUsize;
use std::sync::Arc;

use async_trait::async_trait;
use orch_core::learned::{Learned, Moments, Reward, decomposition_heuristics};
use orch_core::{
    ComplexTask, Constraints, DecomposeError, DecompositionPlan, DecompositionRequest,
    DecompositionStrategy, JsonMap, PlanSource, Worker, WorkerCapability, WorkerContext,
    WorkerError, WorkerName, WorkerResult,
};
use orch_decompose::{NotApplicable, TaskDecomposer};
use serde_json::Value;

struct Fake(WorkerName, Vec<WorkerCapability>);

#[async_trait]
impl Worker for Fake {
    fn name(&self) -> &WorkerName {
        &self.0
    }

    fn capabilities(&self) -> &[WorkerCapability] {
        &self.1
    }

    async fn execute(&self, _context: WorkerContext) -> Result<WorkerResult, WorkerError> {
        unreachable!("a decomposer in code calls no worker")
    }
}

/// Makes a worker with one capability of its own name, from `"name | types | description | proficiency"`.
pub(crate) fn worker(profile: &str) -> Arc<dyn Worker> {
    let mut parts = profile.split('|').map(str::trim);
    let mut part = || parts.next().unwrap_or_default();
    let (name, types, description) = (part(), part(), part());
    let proficiency = part().parse().unwrap_or(1.0);
    let profile = WorkerCapability::new(name, types.split_whitespace())
        .with_description(description)
        .with_proficiency(proficiency);
    Arc::new(Fake(name.into(), vec![profile]))
}

/// A web reader, a parser, a writer of summaries and one who counts.
pub(crate) const TEAM: &[&str] = &[
    "web | fetch | fetches pages and downloads files",
    "parser | parse | reads the structure of a page or a log",
    "writer | summary | writes a summary",
    "counter | count | counts lines and words",
];

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) task: ComplexTask,
    pub(crate) workers: Vec<Arc<dyn Worker>>,
    pub(crate) max: usize,
    pub(crate) decomposer: TaskDecomposer,
    pub(crate) learned: Option<Learned>,
}

impl World {
    pub(crate) fn new(strategy: DecompositionStrategy, description: &str, task_type: &str) -> Self {
        Self {
            task: ComplexTask::new("t", description, task_type),
            workers: TEAM.iter().map(|profile| worker(profile)).collect(),
            max: 100,
            decomposer: TaskDecomposer::new(strategy).expect("available"),
            learned: None,
        }
    }

    pub(crate) fn workers(mut self, profiles: &[&str]) -> Self {
        self.workers = profiles.iter().map(|profile| worker(profile)).collect();
        self
    }

    pub(crate) fn context(mut self, key: &str, value: Value) -> Self {
        self.task.context.extend(JsonMap::from_iter([(key.to_owned(), value)]));
        self
    }

    pub(crate) fn constraints(mut self, constraints: Constraints) -> Self {
        self.task = self.task.with_constraints(constraints);
        self
    }

    /// Lets earlier runs have gone so: what made the plan, how often that succeeded, of how many.
    pub(crate) fn earlier(mut self, runs: &[(PlanSource, u32, u32)]) -> Self {
        let mut learned = Learned::new();
        for (source, done, all) in runs {
            let plans = learned.tasks.plans.entry(*source).or_default();
            for run in 0..*all {
                let reward = if run < *done { Reward::FULL } else { Reward::NONE };
                // That a run came to its end does not say that it was worth anything.
                plans.history.record(learned.today, Moments::one(true, reward));
            }
        }
        let (project, stats) = (&learned.project, &learned.tasks);
        let rules = decomposition_heuristics(project, "", stats, learned.today, 3);
        learned.decomposition = rules;
        self.learned = Some(learned);
        self
    }

    pub(crate) fn max(mut self, max: usize) -> Self {
        self.max = max;
        self
    }

    pub(crate) fn ask(
        &self,
        given: Option<&DecompositionPlan>,
    ) -> Result<DecompositionPlan, DecomposeError> {
        let max = NonZeroUsize::new(self.max).expect("at least 1");
        let request = DecompositionRequest::new(&self.task, &self.workers, max)
            .with_given(given)
            .with_learned(self.learned.as_ref());
        self.decomposer.plan(&request)
    }

    #[track_caller]
    pub(crate) fn plan(&self) -> DecompositionPlan {
        self.ask(None).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Returns why the strategy made no plan.
    #[track_caller]
    pub(crate) fn not_applicable(&self) -> NotApplicable {
        let error = self.ask(None).expect_err("no plan");
        let DecomposeError::Failed(source) = error else { panic!("{error}") };
        *source.downcast().expect("the reason of a strategy")
    }

    /// Checks that nobody can do it.
    #[track_caller]
    pub(crate) fn finds_nobody(&self, expected_type: &str) {
        let error = self.ask(None).expect_err("no plan");
        let DecomposeError::NoWorker { task_type, workers } = error else { panic!("{error}") };
        assert_eq!(task_type, expected_type);
        assert_eq!(workers.len(), self.workers.len());
    }

    /// Checks the subtasks, each as `id:type<dependency+dependency`.
    #[track_caller]
    pub(crate) fn makes(&self, expected: &str) -> DecompositionPlan {
        let plan = self.plan();
        assert_eq!(shape(&plan), expected);
        plan
    }
}

/// Writes the subtasks of a plan, each as `id:type<dependency+dependency`.
pub(crate) fn shape(plan: &DecompositionPlan) -> String {
    let subtask = |subtask: &Arc<orch_core::Subtask>| {
        let needs: Vec<_> = subtask.dependencies.iter().map(|id| id.as_str()).collect();
        let after = if needs.is_empty() { String::new() } else { format!("<{}", needs.join("+")) };
        format!("{}:{}{after}", subtask.id, subtask.task_type)
    };
    plan.subtasks.iter().map(subtask).collect::<Vec<_>>().join(" ")
}
