//! The decomposer: which source makes the plan.

use std::sync::Arc;

use async_trait::async_trait;
use orch_core::{
    DecomposeError, Decomposer, DecompositionPlan, DecompositionRequest, DecompositionStrategy,
    PlanLimits, Worker,
};

use crate::draft::{Draft, NotApplicable};
use crate::eligible_workers::{EligibleWorkers, type_of};
use crate::plan_history::PlanHistory;
use crate::profiles::CapabilityProfiles;
use crate::strategy::{Method, UnavailableStrategy};
use crate::{capability, given, items, single};

/// How sure a plan by capabilities must be for `hybrid` to take it rather than the task as one subtask.
const SURE_ENOUGH: f64 = 0.5;

/// Makes plans in code, without asking a worker.
///
/// A given plan comes first, whatever the strategy: what it leaves out (task types, parents, estimates, parallelism) is
/// filled in and noted, what it says stands, and all its issues are returned at once. Otherwise:
///
/// - `domain_based`: one subtask per item of a list in the task's context, which it finds under `item`, and a subtask that
///   joins them when a worker lists a type such as `join` or `summary`. The list is under `items`, `domains` or `files`, or
///   under the key of [`with_item_key`](Self::with_item_key). A list of one makes the same kind of plan as a list of many; an
///   empty one makes a plan of the joining subtask alone, or of nothing: such a run is done at once. Confidence 0.9 with a
///   configured key, 0.7 without.
/// - `capability_based`: one subtask per clause of the description that shares words with a worker's capability (name,
///   description, types). A clause waits for another only because of an order word ("then", "after that", "finally") or
///   because it refers to it ("it", "the results"). Confidence up to 0.9, by how well the words match.
/// - `hybrid`: by items when there is a list; else by capabilities when that makes at least 2 subtasks with a confidence of at
///   least 0.5; else the task as one subtask (confidence 0.8 when its description is one clause, 0.4 when it has more); else
///   what the capabilities give. Where two of them make a plan, and earlier runs of the same type of task were surely better
///   with the other one, that one is taken, and the plan says so.
/// - `phase_based` is refused: there are no phase templates.
///
/// No plan has more subtasks than the request allows, or one that no admitted worker can do.
#[derive(Debug, Clone)]
pub struct TaskDecomposer {
    method: Method,
    item_key: Option<String>,
}

impl TaskDecomposer {
    /// Makes a decomposer.
    ///
    /// # Errors
    /// When the strategy is not available.
    pub fn new(strategy: DecompositionStrategy) -> Result<Self, UnavailableStrategy> {
        Ok(Self { method: Method::try_from(strategy)?, item_key: None })
    }

    /// Sets the key of the task's context under which `domain_based` finds its list, in place of the usual ones.
    #[must_use]
    pub fn with_item_key(mut self, key: impl Into<String>) -> Self {
        self.item_key = Some(key.into());
        self
    }

    /// Makes a plan; what [`Decomposer::decompose`] does, for callers without an async runtime.
    ///
    /// # Errors
    /// `Invalid` with all issues of the plan; `NoWorker` when nobody can do anything of the task; `Failed` with [`NotApplicable`] as
    /// its source when the strategy has nothing to split by.
    pub fn plan(
        &self,
        request: &DecompositionRequest<'_>,
    ) -> Result<DecompositionPlan, DecomposeError> {
        let eligible = EligibleWorkers::new(request.available_workers, request.task);
        let mut plan = match request.given {
            Some(plan) => given::completed(plan, request.task, eligible),
            None => {
                let drafted = self.draft(request, eligible);
                drafted.map_err(|why| error(why, request))?.into_plan(request.task)
            }
        };
        let limits = PlanLimits::new(request.max_subtasks.get());
        let constraints = request.task.constraints.as_ref();
        let issues = plan.validate_within(request.available_workers, limits, constraints);
        if !issues.is_empty() {
            return Err(DecomposeError::Invalid(issues));
        }
        if request.given.is_some() {
            given::fill_parallelism(&mut plan);
        }
        Ok(plan)
    }

    /// Returns all issues of a plan, a sentence each; none when it is valid.
    pub fn validate_plan(
        &self,
        plan: &DecompositionPlan,
        workers: &[Arc<dyn Worker>],
    ) -> Vec<String> {
        plan.validate(workers).iter().map(ToString::to_string).collect()
    }

    fn draft(
        &self,
        request: &DecompositionRequest<'_>,
        eligible: EligibleWorkers<'_>,
    ) -> Result<Draft, NotApplicable> {
        let (task, max) = (request.task, request.max_subtasks.get());
        let plan_history = PlanHistory(request.learned);
        let profiles = CapabilityProfiles::new(eligible);
        let by_items = || items::draft(task, eligible, &profiles, self.item_key.as_deref(), max);
        let by_capability = || capability::draft(task, &profiles, max);
        match self.method {
            Method::Domain => by_items(),
            Method::Capability => by_capability(),
            Method::Hybrid => {
                let other = better(by_capability(), single::draft(task, eligible), plan_history);
                match (by_items(), other) {
                    (Ok(draft), Ok(other)) => Ok(plan_history.choose(draft, other)),
                    (Ok(draft), Err(_)) => Ok(draft),
                    (Err(not_applicable), other) => {
                        let mut draft = other?;
                        draft.notes.extend(passed_over("domain_based", &not_applicable));
                        Ok(draft)
                    }
                }
            }
        }
    }
}

impl Default for TaskDecomposer {
    /// Makes a decomposer that takes the best of its strategies.
    fn default() -> Self {
        Self { method: Method::Hybrid, item_key: None }
    }
}

#[async_trait]
impl Decomposer for TaskDecomposer {
    async fn decompose(
        &self,
        request: DecompositionRequest<'_>,
    ) -> Result<DecompositionPlan, DecomposeError> {
        self.plan(&request)
    }
}

/// Chooses between the plan by capabilities and the task as one subtask.
fn better(
    split: Result<Draft, NotApplicable>,
    single: Result<Draft, NotApplicable>,
    plan_history: PlanHistory<'_>,
) -> Result<Draft, NotApplicable> {
    match (split, single) {
        (Ok(split), Ok(single)) if split.subtasks.len() < 2 => Ok(single),
        (Ok(split), Ok(single)) if split.confidence >= SURE_ENOUGH => {
            Ok(plan_history.choose(split, single))
        }
        (Ok(split), Ok(mut single)) => {
            single.notes.push(format!(
                "capability_based was not used: its confidence is {:.2}, below {SURE_ENOUGH:.2}",
                split.confidence
            ));
            Ok(plan_history.choose(single, split))
        }
        (Ok(split), Err(_)) => Ok(split),
        (Err(not_applicable), Ok(mut single)) => {
            single.notes.extend(passed_over("capability_based", &not_applicable));
            Ok(single)
        }
        (Err(not_applicable @ NotApplicable::TooMany { .. }), Err(_)) => Err(not_applicable),
        (Err(_), Err(unserved)) => Err(unserved),
    }
}

/// Returns a note that a strategy was passed over, unless there was nothing for it to do.
fn passed_over(strategy: &str, not_applicable: &NotApplicable) -> Option<String> {
    match not_applicable {
        NotApplicable::NoItems { .. } | NotApplicable::NoMatch => None,
        NotApplicable::TooMany { .. } | NotApplicable::Unserved { .. } => {
            Some(format!("{strategy} was not used: {not_applicable}"))
        }
    }
}

fn error(not_applicable: NotApplicable, request: &DecompositionRequest<'_>) -> DecomposeError {
    match not_applicable {
        NotApplicable::Unserved { .. } | NotApplicable::NoMatch => DecomposeError::NoWorker {
            task_type: type_of(request.task).to_owned(),
            workers: request.available_workers.iter().map(|w| w.name().to_string()).collect(),
        },
        NotApplicable::NoItems { .. } | NotApplicable::TooMany { .. } => {
            DecomposeError::Failed(Box::new(not_applicable))
        }
    }
}
