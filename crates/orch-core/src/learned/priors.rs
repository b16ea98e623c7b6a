//! What a run begins with, by what earlier ones have taught.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{HALF_LIFE_DAYS, History, Learned, Typical, lower_bound};
use crate::{AggregationStrategy, DecompositionPlan, RunSettings, WorkerName};

/// How many opinions there must be before they count.
const OPINIONS: u64 = 3;

/// What a run expects before it has seen anything itself. It is kept in the run's events: whatever is learned later, the run
/// replays the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Priors {
    /// How many attempts an adaptive run makes at once to begin with: half of the earlier runs of this type of task that
    /// ended well had at most this concurrency limit in the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency_limit: Option<u32>,
    /// What an attempt costs, by type of subtask, in millionths of a US dollar: nine of ten earlier ones cost at most this.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub cost_micro_usd: BTreeMap<String, u64>,
    /// The way to make one output that people liked best: the greatest [`lower_bound`] of their scores among those about
    /// which there are at least three.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aggregation: Option<AggregationStrategy>,
    /// Whom pinned rules prefer, by type of subtask, best first; who asks for somebody else is heard first.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub prefer: BTreeMap<String, Vec<WorkerName>>,
}

impl Priors {
    /// Reads them from what is known of the task's type and of the types of subtasks in `plan`.
    pub fn of(learned: &Learned, plan: &DecompositionPlan) -> Self {
        let limit = learned.tasks.concurrency_limit.quantile(0.5);
        let types: BTreeSet<&String> = plan.subtasks.iter().map(|it| &it.task_type).collect();
        let costs = types.iter().filter_map(|kind| Some(((*kind).clone(), cost(learned, kind)?)));
        let prefer =
            types.iter().map(|kind| ((*kind).clone(), learned.pinned_workers(kind).to_vec()));
        Self {
            concurrency_limit: limit.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX)),
            cost_micro_usd: costs.collect(),
            aggregation: liked(learned),
            prefer: prefer.filter(|(_, workers)| !workers.is_empty()).collect(),
        }
    }

    /// Returns how many attempts an adaptive run with these settings makes at once to begin with: what they say, unless that is
    /// 1, the default.
    pub fn initial_concurrency_limit(&self, settings: &RunSettings) -> u32 {
        let limit = match settings.initial_concurrency_limit {
            0 | 1 => self.concurrency_limit.unwrap_or(1),
            set => set,
        };
        limit.clamp(1, settings.max_parallel.max(1))
    }

    /// Tells whether nothing is expected.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn liked(learned: &Learned) -> Option<AggregationStrategy> {
    let opinions = learned.tasks.aggregation.iter();
    let often = opinions.filter(|(_, all)| all.total().count() >= OPINIONS);
    let bound = |all: &History| lower_bound(&all.decayed(learned.today, HALF_LIFE_DAYS));
    let ranked = often.map(|(strategy, all)| (*strategy, bound(all)));
    ranked.max_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(strategy, _)| strategy)
}

fn cost(learned: &Learned, task_type: &str) -> Option<u64> {
    let workers = learned.workers.get(task_type)?.values();
    Some(Typical::of_all(workers.filter_map(|summary| summary.cost_micro_usd))?.p90)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learned::{Day, Moments, Reward, WorkerStats, routing_id};
    use crate::{RoutingHeuristic, Subtask};

    #[test]
    fn priors_are_of_the_types_in_the_plan() {
        let mut learned = Learned::new();
        let costs = |all: &[u64]| {
            let mut stats = WorkerStats::default();
            stats.history.record(Day(0), Moments::one(true, Reward::FULL));
            all.iter().for_each(|cost| stats.cost_micro_usd.record(*cost));
            stats.summary().unwrap()
        };
        let of_web = [("ann".into(), costs(&[10, 10])), ("bob".into(), costs(&[30]))];
        learned.workers.insert("web".into(), of_web.into());
        learned.workers.insert("api".into(), [("ann".into(), costs(&[7]))].into());
        learned.workers.insert("ui".into(), [("ann".into(), costs(&[]))].into());
        [2, 4, 4, 8].into_iter().for_each(|limit| learned.tasks.concurrency_limit.record(limit));

        let subtask = |id: &str, kind: &str| Subtask::new(id, "", kind);
        let plan =
            DecompositionPlan::new([subtask("a", "web"), subtask("b", "web"), subtask("c", "ui")]);
        let priors = Priors::of(&learned, &plan);
        assert_eq!(priors.concurrency_limit, Some(4));
        assert_eq!(priors.cost_micro_usd, [("web".to_owned(), 30)].into());
        assert_eq!(priors.aggregation, None);
        let limit = |initial: u32, cap: u32| {
            let settings = RunSettings::default()
                .with_initial_concurrency_limit(initial)
                .with_max_parallel(cap);
            priors.initial_concurrency_limit(&settings)
        };
        assert_eq!(
            [limit(1, 64), limit(1, 3), limit(2, 64)],
            [4, 3, 2],
            "a limit that is set stands"
        );
        assert!(Priors::of(&Learned::new(), &plan).is_empty());

        let rule = |kind: &str, confidence: f64| {
            let id = routing_id(&learned.project, kind);
            RoutingHeuristic::new(id, "", "", jiff::Timestamp::UNIX_EPOCH)
                .with_worker_preference(vec!["bob".into()])
                .with_confidence(confidence)
        };
        learned.routing = vec![rule("web", 0.99), rule("ui", 1.0), rule("api", 1.0)];
        let prefer = Priors::of(&learned, &plan).prefer;
        assert_eq!(prefer, [("ui".to_owned(), vec!["bob".into()])].into(), "what is pinned");

        let mut say = |strategy, scores: &[f64]| {
            let history = learned.tasks.aggregation.entry(strategy).or_default();
            scores.iter().for_each(|score| {
                history.record(Day(0), Moments::one(*score > 0.5, Reward::new(*score)));
            });
        };
        say(AggregationStrategy::Merge, &[0.2, 0.4, 0.3]);
        say(AggregationStrategy::Concatenate, &[0.8, 0.9, 0.7]);
        say(AggregationStrategy::Custom, &[1.0, 1.0]);
        let liked = Priors::of(&learned, &plan).aggregation;
        assert_eq!(liked, Some(AggregationStrategy::Concatenate), "two opinions are not enough");
    }
}
