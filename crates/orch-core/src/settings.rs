//! How a run is to be run: stored with it, so that a process that resumes it runs it the same way.

use serde::{Deserialize, Serialize};

use crate::number::or_nan;
use crate::setters::setters;
use crate::words::words;
use crate::{AggregationStrategy, JsonMap, ProjectId, RetryPolicy};

words! {
    /// How many subtasks run at once.
    pub enum ExecutionStrategy as "strategy" {
        /// One at a time.
        Sequential = "sequential",
        /// All that are ready, within the caps.
        Parallel = "parallel",
        /// One at first, more while that goes well.
        Adaptive = "adaptive",
    }
}

/// What a run may use up. Integers: millionths of a US dollar, tokens, milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Budget {
    /// The most that all attempts together may cost, in millionths of a US dollar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cost_micro_usd: Option<u64>,
    /// The most tokens, read and written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// The longest active time, in milliseconds; suspended time does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_active_ms: Option<u64>,
    /// What is kept back for the aggregation, in millionths of a US dollar.
    pub aggregation_reserve_micro_usd: u64,
}

setters! { Budget {
    /// Sets the most that all attempts together may cost, in millionths of a US dollar.
    with_max_cost_micro_usd => max_cost_micro_usd: Option<u64>,
    /// Sets the most tokens.
    with_max_tokens => max_tokens: Option<u64>,
    /// Sets the longest active time, in milliseconds.
    with_max_active_ms => max_active_ms: Option<u64>,
    /// Sets what is kept back for the aggregation.
    with_aggregation_reserve_micro_usd => aggregation_reserve_micro_usd: u64,
} }

/// How results become one output, and how many must be there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct AggregationSettings {
    /// How.
    pub strategy: AggregationStrategy,
    /// Whether there is an output when subtasks failed.
    pub allow_partial: bool,
    /// The least share of subtasks that must be done for success, 0 to 1.
    #[serde(deserialize_with = "or_nan")]
    pub min_success_ratio: f64,
}

impl Default for AggregationSettings {
    fn default() -> Self {
        Self { strategy: AggregationStrategy::Merge, allow_partial: true, min_success_ratio: 0.8 }
    }
}

setters! { AggregationSettings {
    /// Sets how results become one.
    with_strategy => strategy: AggregationStrategy,
    /// Sets whether there is an output when subtasks failed.
    with_allow_partial => allow_partial: bool,
    /// Sets the least share of subtasks that must be done.
    with_min_success_ratio => min_success_ratio: f64,
} }

/// All settings of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct RunSettings {
    /// The project of the run.
    pub project: ProjectId,
    /// How many subtasks run at once.
    pub strategy: ExecutionStrategy,
    /// The most attempts in flight in this run, whatever the strategy.
    pub max_parallel: u32,
    /// The concurrency limit that an adaptive run starts with.
    pub initial_concurrency_limit: u32,
    /// How failed subtasks are tried again.
    pub retry: RetryPolicy,
    /// How results become one output.
    pub aggregation: AggregationSettings,
    /// What the run may use up.
    pub budget: Budget,
    /// How long an attempt may take unless its subtask or worker says, in milliseconds.
    pub attempt_timeout_ms: u64,
    /// How long a pull worker holds a claim without a sign of life, in milliseconds.
    pub lease_ms: u64,
    /// How long an offer to a pull worker stands, in milliseconds.
    pub offer_timeout_ms: u64,
    /// How long attempts may take to end after a cancel, in milliseconds.
    pub grace_ms: u64,
    /// The most subtasks of a plan.
    pub max_subtasks: u32,
    /// What the submitter wants to find with the run again, such as the configuration that it was made with; the
    /// engine does not look at it.
    #[serde(skip_serializing_if = "JsonMap::is_empty")]
    pub annotations: JsonMap,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self {
            project: ProjectId::new("default"),
            strategy: ExecutionStrategy::Adaptive,
            max_parallel: 64,
            initial_concurrency_limit: 1,
            retry: RetryPolicy::default(),
            aggregation: AggregationSettings::default(),
            budget: Budget::default(),
            attempt_timeout_ms: 10 * 60 * 1_000,
            lease_ms: 30 * 60 * 1_000,
            offer_timeout_ms: 24 * 60 * 60 * 1_000,
            grace_ms: 5_000,
            max_subtasks: 10_000,
            annotations: JsonMap::new(),
        }
    }
}

setters! { RunSettings {
    /// Sets the project.
    with_project => project: ProjectId,
    /// Sets how many subtasks run at once.
    with_strategy => strategy: ExecutionStrategy,
    /// Sets the most attempts in flight in this run.
    with_max_parallel => max_parallel: u32,
    /// Sets the concurrency limit that an adaptive run starts with.
    with_initial_concurrency_limit => initial_concurrency_limit: u32,
    /// Sets how failed subtasks are tried again.
    with_retry => retry: RetryPolicy,
    /// Sets how results become one output.
    with_aggregation => aggregation: AggregationSettings,
    /// Sets what the run may use up.
    with_budget => budget: Budget,
    /// Sets how long an attempt may take, in milliseconds.
    with_attempt_timeout_ms => attempt_timeout_ms: u64,
    /// Sets how long a claim holds without a sign of life, in milliseconds.
    with_lease_ms => lease_ms: u64,
    /// Sets how long an offer stands, in milliseconds.
    with_offer_timeout_ms => offer_timeout_ms: u64,
    /// Sets how long attempts may take to end after a cancel, in milliseconds.
    with_grace_ms => grace_ms: u64,
    /// Sets the most subtasks of a plan.
    with_max_subtasks => max_subtasks: u32,
    /// Sets what the submitter wants to find with the run again.
    with_annotations => annotations: JsonMap,
} }
