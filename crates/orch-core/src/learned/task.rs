//! What is known of a type of task.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{History, Spread};
use crate::{AggregationStrategy, InterventionType, PlanSource};

/// What is known of a type of task: sums over the runs of such tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TaskStats {
    /// How runs went, by what made their plan.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub plans: BTreeMap<PlanSource, PlanStats>,
    /// What people thought of the outputs, by how results became one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub aggregation: BTreeMap<AggregationStrategy, History>,
    /// Whether interventions helped.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub interventions: BTreeMap<InterventionType, History>,
    /// The concurrency limit that adaptive runs had when they ended well.
    pub concurrency_limit: Spread,
}

/// How runs went whose plan was made in one way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct PlanStats {
    /// When the first such run ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_at: Option<Timestamp>,
    /// How the runs went; the reward of a run is what a person gave it, else the share of its subtasks that were done.
    pub history: History,
    /// How many subtasks their plans had.
    pub subtasks: Spread,
    /// How many subtasks could run at once on average, in thousandths.
    pub parallelism_milli: Spread,
    /// How long the runs took, in milliseconds.
    pub duration_ms: Spread,
}

impl TaskStats {
    /// Adds everything that `other` has.
    pub fn merge(&mut self, other: &Self) {
        for (source, plans) in &other.plans {
            self.plans.entry(*source).or_default().merge(plans);
        }
        for (strategy, history) in &other.aggregation {
            self.aggregation.entry(*strategy).or_default().merge(history);
        }
        for (intervention, history) in &other.interventions {
            self.interventions.entry(*intervention).or_default().merge(history);
        }
        self.concurrency_limit.merge(&other.concurrency_limit);
    }
}

impl PlanStats {
    /// Adds everything that `other` has.
    pub fn merge(&mut self, other: &Self) {
        self.first_at = [self.first_at, other.first_at].into_iter().flatten().min();
        self.history.merge(&other.history);
        self.subtasks.merge(&other.subtasks);
        self.parallelism_milli.merge(&other.parallelism_milli);
        self.duration_ms.merge(&other.duration_ms);
    }
}
