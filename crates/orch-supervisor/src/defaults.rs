//! The parts that a supervisor has when it is given no others: as little as works, and no sibling crate.

use std::time::Duration;

use async_trait::async_trait;
use orch_core::journal::{AttemptProcess, ProcessId};
use orch_core::{
    AggregateError, AggregationInput, AggregationResult, Aggregator, BoxError, ComplexTask,
    DecomposeError, Decomposer, DecompositionPlan, DecompositionRequest, FailureContext,
    FailureDecision, FailureEvent, FailureHandler, Fence, PlanSource, Reaper, RouteError, Router,
    RoutingContext, RoutingDecision, RunId, Subtask, fit,
};
use serde_json::Value;

/// The given plan as it is, else the task as one subtask.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct GivenOrSingle;

#[async_trait]
impl Decomposer for GivenOrSingle {
    async fn decompose(
        &self,
        request: DecompositionRequest<'_>,
    ) -> Result<DecompositionPlan, DecomposeError> {
        if let Some(given) = request.given {
            return Ok(given.clone());
        }
        let task = request.task;
        let only = Subtask::new("task", task.description.clone(), task.task_type.clone());
        Ok(DecompositionPlan::new([only]).with_source(PlanSource::Single))
    }
}

/// Chooses the worker that says it fits best; the first registered of equals.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BestCanHandle;

impl Router for BestCanHandle {
    fn route(
        &self,
        subtask: &Subtask,
        context: &RoutingContext<'_>,
    ) -> Result<RoutingDecision, RouteError> {
        let mut best = None;
        for worker in context.available_workers {
            if !context.admits(&**worker) {
                continue;
            }
            let score =
                fit(&**worker, subtask, &context.standing(worker.name(), &subtask.task_type)).score;
            if score > best.map_or(0.0, |(_, score)| score) {
                best = Some((worker, score));
            }
        }
        let Some((worker, score)) = best else {
            return Err(RouteError::NoWorker {
                subtask: subtask.id.clone(),
                task_type: subtask.task_type.clone(),
            });
        };
        Ok(RoutingDecision::new(subtask.id.clone(), worker.name().clone(), "it can do it best")
            .with_confidence(score))
    }
}

/// The outputs in plan order.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct InPlanOrder;

impl Aggregator for InPlanOrder {
    fn aggregate(&self, input: &AggregationInput<'_>) -> Result<AggregationResult, AggregateError> {
        let outputs: Vec<Value> =
            input.results.iter().map(|result| result.output.clone()).collect();
        Ok(AggregationResult::new(Value::Array(outputs))
            .with_source_results(input.results.to_vec())
            .with_failed_subtasks(input.failed.to_vec()))
    }
}

/// Every failure is final.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NoRetry;

impl FailureHandler for NoRetry {
    fn handle_failure(
        &self,
        _: &FailureEvent,
        _: &Subtask,
        _: &FailureContext<'_>,
    ) -> FailureDecision {
        FailureDecision::give_up("there is no retry")
    }

    fn should_abort(&self, _: &[FailureEvent], _: &ComplexTask) -> bool {
        false
    }
}

/// Workers of this process only: when it died, they died with it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct InProcess;

#[async_trait]
impl Reaper for InProcess {
    async fn reap(&self, _: RunId, _: &[Fence], _: &[AttemptProcess]) -> Result<(), BoxError> {
        Ok(())
    }

    fn is_gone(&self, _: &ProcessId) -> bool {
        false
    }
}

/// How long an owner is taken to live without a sign of life.
pub(crate) const OWNER_TTL: Duration = Duration::from_secs(15);
