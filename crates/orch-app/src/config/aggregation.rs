//! `aggregation`: how results become one.

use orch_core::{AggregationSettings, AggregationStrategy};
use serde::Deserialize;

/// The section, in a type of its own so that it can be read from one word.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Aggregation(pub(crate) AggregationSettings);

/// Says what is wrong with settings that can be read.
pub(crate) fn fault(settings: &AggregationSettings) -> Option<String> {
    match settings.strategy {
        AggregationStrategy::Concatenate
        | AggregationStrategy::Merge
        | AggregationStrategy::Auto => {}
        unavailable @ (AggregationStrategy::Vote
        | AggregationStrategy::Reduce
        | AggregationStrategy::Custom) => {
            return Some(format!(
                "strategy `{unavailable}` is not available here; available: concatenate, merge, auto"
            ));
        }
    }
    let ratio = settings.min_success_ratio;
    (!(0.0..=1.0).contains(&ratio)).then(|| format!("min_success_ratio is {ratio}; give 0 to 1"))
}
