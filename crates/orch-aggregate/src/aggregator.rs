//! The aggregator: picks the strategy, and accounts for sources and confidence.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use orch_core::{
    AggregateError, AggregationInput, AggregationResult, AggregationStrategy, Aggregator, BoxError,
    Subtask, SubtaskId,
};
use serde_json::Value;

use crate::concatenate::concatenate;
use crate::confidence;
use crate::merge::merge;
use crate::sources::Sources;

/// A function of the user that makes the output.
type Custom = dyn Fn(&AggregationInput<'_>) -> Result<Value, BoxError> + Send + Sync;

/// Makes one output of the accepted results, by the strategy of the run's settings.
///
/// - `concatenate`: a list of `{"subtask_id", "worker_name", "output"}`, in plan order.
/// - `merge`: one object. Outputs that are objects are merged key by key at every depth; any other output stands under the
///   id of its subtask. Lists are joined in plan order, without repeating an element that an earlier list has. Where two
///   results disagree (other scalars, or values of other kinds) the one of higher confidence stands, of equal ones the later
///   in the plan; everything that is dropped is listed in `conflicts_resolved`, whole, with its place as a JSON Pointer.
/// - `custom`: what the function given to [`with_custom`](Self::with_custom) makes of the input.
/// - `auto`: the engine puts in its place what people liked best in earlier runs. Here it is `merge`, but for subtasks that were made
///   of a list: such outputs are of one shape, and would be merged over each other. The output of each stands under its id.
/// - `vote` and `reduce` are refused.
///
/// A result whose `success` is false counts as failed and gets into no output. `confidence` is the mean confidence of the
/// results x the share of subtasks that have one, subtasks with `required: false` left out of that share; 0 when there is
/// no result. `min_success_ratio` is not looked at here: the engine decides by it whether the run succeeded.
#[derive(Clone, Default)]
pub struct ResultAggregator {
    custom: Option<Arc<Custom>>,
}

impl ResultAggregator {
    /// Makes an aggregator without a function of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the function behind the strategy `custom`. It must depend on its input only: after a crash it runs again.
    ///
    /// It gets the accepted results; an error of it ends the run as failed, with all results kept.
    #[must_use]
    pub fn with_custom(
        mut self,
        function: impl Fn(&AggregationInput<'_>) -> Result<Value, BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.custom = Some(Arc::new(function));
        self
    }

    fn unsupported(&self, strategy: AggregationStrategy) -> AggregateError {
        let mut available =
            vec![AggregationStrategy::Concatenate.as_str(), AggregationStrategy::Merge.as_str()];
        if self.custom.is_some() {
            available.push(AggregationStrategy::Custom.as_str());
        }
        AggregateError::Unsupported { strategy, available }
    }

    fn custom(&self, input: &AggregationInput<'_>) -> Result<Value, AggregateError> {
        let Some(function) = &self.custom else {
            return Err(self.unsupported(AggregationStrategy::Custom));
        };
        function(input).map_err(AggregateError::Failed)
    }
}

/// Returns the subtasks that were made of the items of a list.
fn of_items(subtasks: &[Arc<Subtask>]) -> HashSet<&SubtaskId> {
    let made_of_item = |subtask: &&Arc<Subtask>| subtask.context.contains_key(Subtask::ITEM);
    subtasks.iter().filter(made_of_item).map(|subtask| &subtask.id).collect()
}

impl fmt::Debug for ResultAggregator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultAggregator").field("custom", &self.custom.is_some()).finish()
    }
}

impl Aggregator for ResultAggregator {
    /// Aggregates.
    ///
    /// # Errors
    /// `Unsupported` for a strategy that is not available, and `Failed` when the user's function failed or, with
    /// [`Incomplete`](crate::Incomplete) as its source, when `allow_partial` is off and a subtask that counts has no result.
    fn aggregate(&self, input: &AggregationInput<'_>) -> Result<AggregationResult, AggregateError> {
        let sources = Sources::new(input);
        if !input.settings.allow_partial {
            sources
                .require_all()
                .map_err(|incomplete| AggregateError::Failed(incomplete.into()))?;
        }
        let (output, conflicts) = match input.settings.strategy {
            AggregationStrategy::Concatenate => (concatenate(&sources.results), Vec::new()),
            AggregationStrategy::Merge => merge(&sources.results, &HashSet::new()),
            // Who resolves `auto` has not done so: nobody has said what they like.
            AggregationStrategy::Auto => merge(&sources.results, &of_items(input.subtasks)),
            AggregationStrategy::Custom => {
                let accepted = AggregationInput::new(
                    input.task,
                    input.subtasks,
                    &sources.results,
                    input.settings,
                )
                .with_failed(&sources.failed);
                (self.custom(&accepted)?, Vec::new())
            }
            strategy @ (AggregationStrategy::Vote | AggregationStrategy::Reduce) => {
                return Err(self.unsupported(strategy));
            }
        };
        let confidence = confidence::of_output(&sources);
        Ok(AggregationResult::new(output)
            .with_source_results(sources.results)
            .with_failed_subtasks(sources.failed)
            .with_conflicts_resolved(conflicts)
            .with_confidence(confidence))
    }
}
