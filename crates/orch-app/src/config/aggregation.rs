//! `aggregation`: how results become one.

use orch_core::{AggregationSettings, AggregationStrategy};
use serde::Deserialize;

/// The section. A strategy that is not given is `auto`: nobody has asked for outputs of one shape to be merged over each other.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "Fields")]
pub(crate) struct Aggregation(pub(crate) AggregationSettings);

/// The section as it is written.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Fields {
    strategy: AggregationStrategy,
    allow_partial: bool,
    min_success_ratio: f64,
}

impl Default for Fields {
    fn default() -> Self {
        let AggregationSettings { allow_partial, min_success_ratio, .. } =
            AggregationSettings::default();
        Self { strategy: AggregationStrategy::Auto, allow_partial, min_success_ratio }
    }
}

impl From<Fields> for Aggregation {
    fn from(fields: Fields) -> Self {
        let settings = AggregationSettings::default()
            .with_strategy(fields.strategy)
            .with_allow_partial(fields.allow_partial)
            .with_min_success_ratio(fields.min_success_ratio);
        Self(settings)
    }
}

impl Default for Aggregation {
    fn default() -> Self {
        Fields::default().into()
    }
}

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
