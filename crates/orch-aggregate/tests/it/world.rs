//! A task, a plan and the results of its subtasks, as short as possible.

use std::sync::Arc;

use orch_aggregate::ResultAggregator;
use orch_core::{
    AggregateError, AggregationInput, AggregationResult, AggregationSettings, AggregationStrategy,
    Aggregator, ComplexTask, Subtask, SubtaskId, WorkerResult,
};
use serde_json::Value;

#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub(crate) aggregator: ResultAggregator,
    pub(crate) subtasks: Vec<Arc<Subtask>>,
    pub(crate) results: Vec<Arc<WorkerResult>>,
    pub(crate) failed: Vec<SubtaskId>,
    pub(crate) settings: AggregationSettings,
}

impl World {
    pub(crate) fn new(strategy: AggregationStrategy) -> Self {
        Self { settings: AggregationSettings::default().with_strategy(strategy), ..Self::default() }
    }

    /// Adds a subtask that worker `w-ID` has done.
    pub(crate) fn done(mut self, id: &str, confidence: f64, output: Value) -> Self {
        self.subtasks.push(Arc::new(Subtask::new(id, id, "work")));
        let result = WorkerResult::success(id, format!("w-{id}"), output);
        self.results.push(Arc::new(result.with_confidence(confidence)));
        self
    }

    /// Adds a subtask that was made of an item of a list, and is done.
    pub(crate) fn done_item(mut self, id: &str, output: Value) -> Self {
        self = self.done(id, 1.0, output);
        if let Some(last) = self.subtasks.last_mut() {
            Arc::make_mut(last).context.insert(Subtask::ITEM.to_owned(), id.into());
        }
        self
    }

    /// Adds a subtask without a result.
    pub(crate) fn failed(mut self, id: &str, required: Option<bool>) -> Self {
        self.subtasks.push(Arc::new(Subtask::new(id, id, "work").with_required(required)));
        self.failed.push(id.into());
        self
    }

    pub(crate) fn aggregate(&self) -> Result<AggregationResult, AggregateError> {
        let task = ComplexTask::new("t", "do it all", "work");
        let input = AggregationInput::new(&task, &self.subtasks, &self.results, &self.settings)
            .with_failed(&self.failed);
        self.aggregator.aggregate(&input)
    }

    /// Aggregates what can be aggregated.
    #[track_caller]
    pub(crate) fn output(&self) -> AggregationResult {
        self.aggregate().expect("an output")
    }
}
