//! Plans: what a decomposer makes of a task.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::learned::Learned;
use crate::number::or_nan;
use crate::setters::setters;
use crate::words::words;
use crate::{BoxError, ComplexTask, PlanIssue, PlanSource, Subtask, SubtaskId, Worker};

words! {
    /// How a task is split.
    pub enum DecompositionStrategy as "decomposition strategy" {
        /// By what the workers can do.
        CapabilityBased = "capability_based",
        /// By the phases of the work.
        PhaseBased = "phase_based",
        /// By items or domains in the context.
        DomainBased = "domain_based",
        /// The best of these.
        Hybrid = "hybrid",
    }
}

/// Subtasks and the order among them.
///
/// The subtasks' `dependencies` are the truth; in JSON a `dependency_graph` is derived from them on output, and must agree
/// with them on input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "PlanJson", into = "PlanJson")]
#[non_exhaustive]
pub struct DecompositionPlan {
    /// The subtasks, in the order in which results are shown and aggregated.
    pub subtasks: Vec<Arc<Subtask>>,
    /// How long the whole is expected to take, in milliseconds; 0 when unknown.
    pub estimated_total_duration_ms: u64,
    /// How many subtasks run at once on average when nothing but dependencies limits them; 1 = one after the other.
    pub parallelism_factor: f64,
    /// How sure the decomposer is, 0 to 1.
    pub confidence: f64,
    /// What made the plan.
    pub source: PlanSource,
    /// What the decomposer wants a reader to know, a sentence each.
    pub notes: Vec<String>,
}

impl DecompositionPlan {
    /// Makes an explicit plan of full confidence.
    pub fn new(subtasks: impl IntoIterator<Item = impl Into<Arc<Subtask>>>) -> Self {
        Self {
            subtasks: subtasks.into_iter().map(Into::into).collect(),
            estimated_total_duration_ms: 0,
            parallelism_factor: 1.0,
            confidence: 1.0,
            source: PlanSource::Explicit,
            notes: Vec::new(),
        }
    }

    /// Returns for each subtask what it depends on.
    pub fn dependency_graph(&self) -> BTreeMap<SubtaskId, Vec<SubtaskId>> {
        self.subtasks.iter().map(|s| (s.id.clone(), s.dependencies.clone())).collect()
    }
}

setters! { DecompositionPlan {
    /// Sets how long the whole is expected to take, in milliseconds.
    with_estimated_total_duration_ms => estimated_total_duration_ms: u64,
    /// Sets how many subtasks run at once on average.
    with_parallelism_factor => parallelism_factor: f64,
    /// Sets how sure the decomposer is, 0 to 1.
    with_confidence => confidence: f64,
    /// Sets what made the plan.
    with_source => source: PlanSource,
    /// Sets what a reader should know.
    with_notes => notes: Vec<String>,
} }

/// The JSON form of a plan.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanJson {
    subtasks: Vec<Arc<Subtask>>,
    #[serde(default)]
    dependency_graph: Option<BTreeMap<SubtaskId, Vec<SubtaskId>>>,
    #[serde(default)]
    estimated_total_duration_ms: u64,
    #[serde(default = "one", deserialize_with = "or_nan")]
    parallelism_factor: f64,
    #[serde(default = "one", deserialize_with = "or_nan")]
    confidence: f64,
    #[serde(default)]
    source: PlanSource,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

fn one() -> f64 {
    1.0
}

impl From<DecompositionPlan> for PlanJson {
    fn from(plan: DecompositionPlan) -> Self {
        Self {
            dependency_graph: Some(plan.dependency_graph()),
            subtasks: plan.subtasks,
            estimated_total_duration_ms: plan.estimated_total_duration_ms,
            parallelism_factor: plan.parallelism_factor,
            confidence: plan.confidence,
            source: plan.source,
            notes: plan.notes,
        }
    }
}

impl TryFrom<PlanJson> for DecompositionPlan {
    type Error = String;

    fn try_from(json: PlanJson) -> Result<Self, Self::Error> {
        let plan = Self {
            subtasks: json.subtasks,
            estimated_total_duration_ms: json.estimated_total_duration_ms,
            parallelism_factor: json.parallelism_factor,
            confidence: json.confidence,
            source: json.source,
            notes: json.notes,
        };
        match json.dependency_graph.and_then(|given| disagreement(given, plan.dependency_graph())) {
            Some(id) => Err(format!(
                "dependency_graph and the dependencies of subtask `{id}` disagree; leave dependency_graph out, it is derived"
            )),
            None => Ok(plan),
        }
    }
}

type Graph = BTreeMap<SubtaskId, Vec<SubtaskId>>;

/// Returns a subtask of which the two graphs do not say the same. The order of dependencies does not count, and the given
/// graph may leave out subtasks that depend on nothing.
fn disagreement(given: Graph, derived: Graph) -> Option<SubtaskId> {
    let sorted = |graph: Graph| -> Graph {
        graph
            .into_iter()
            .map(|(id, mut needs)| {
                needs.sort();
                (id, needs)
            })
            .collect()
    };
    let (given, derived) = (sorted(given), sorted(derived));
    let unknown = given.keys().find(|id| !derived.contains_key(*id));
    let differing =
        || derived.iter().find(|(id, needs)| given.get(*id).map_or(&[][..], |g| g) != **needs);
    unknown.or_else(|| differing().map(|(id, _)| id)).cloned()
}

/// What a decomposer may look at.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct DecompositionRequest<'a> {
    /// The task.
    pub task: &'a ComplexTask,
    /// Who is there.
    pub available_workers: &'a [Arc<dyn Worker>],
    /// A plan that the user gave, to be completed but never silently changed.
    pub given: Option<&'a DecompositionPlan>,
    /// The most subtasks that the plan may have.
    pub max_subtasks: NonZeroUsize,
    /// What earlier runs have taught.
    pub learned: Option<&'a Learned>,
}

impl<'a> DecompositionRequest<'a> {
    /// Makes a request without a given plan.
    pub fn new(
        task: &'a ComplexTask,
        available_workers: &'a [Arc<dyn Worker>],
        max_subtasks: NonZeroUsize,
    ) -> Self {
        Self { task, available_workers, given: None, max_subtasks, learned: None }
    }

    /// Sets the plan that the user gave.
    #[must_use]
    pub fn with_given(mut self, plan: Option<&'a DecompositionPlan>) -> Self {
        self.given = plan;
        self
    }

    /// Sets what earlier runs have taught.
    #[must_use]
    pub fn with_learned(mut self, learned: Option<&'a Learned>) -> Self {
        self.learned = learned;
        self
    }
}

/// Splits tasks into plans.
#[async_trait]
pub trait Decomposer: Send + Sync + 'static {
    /// Makes a plan for the task.
    ///
    /// # Errors
    /// When no plan can be made, or the given one is not valid.
    async fn decompose(
        &self,
        request: DecompositionRequest<'_>,
    ) -> Result<DecompositionPlan, DecomposeError>;
}

/// Why there is no plan.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DecomposeError {
    /// The plan has issues; all of them are listed.
    #[error("the plan is not valid: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<PlanIssue>),
    /// No worker can do anything of the task.
    #[error("no worker fits task type `{task_type}`; workers: {}", .workers.join(", "))]
    NoWorker {
        /// The task's type.
        task_type: String,
        /// The names of all workers.
        workers: Vec<String>,
    },
    /// The decomposer itself failed.
    #[error("the decomposer failed")]
    Failed(#[source] BoxError),
}
