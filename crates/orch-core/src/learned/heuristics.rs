//! From sums to rules in words: one rule per project and type, made anew whenever it is read.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Day, HALF_LIFE_DAYS, TaskStats, Weighted, WorkerSummary, lower_bound};
use crate::{DecompositionHeuristic, Digest, PlanSource, ProjectId, RoutingHeuristic, WorkerName};

/// Returns who should get subtasks of type `task_type`; `None` below `min_occurrences` finished attempts.
///
/// Workers are in the order of the [`lower_bound`] of their reward, outcomes decayed by [`HALF_LIFE_DAYS`] as of `today`; the
/// rule's confidence is the bound of the first.
pub fn routing_heuristic(
    project: &ProjectId,
    task_type: &str,
    workers: &BTreeMap<WorkerName, WorkerSummary>,
    today: Day,
    min_occurrences: u32,
) -> Option<RoutingHeuristic> {
    let count: u64 = workers.values().map(|summary| summary.attempts).sum();
    let mut ranked: Vec<Ranked<'_>> =
        workers.iter().map(|(name, summary)| Ranked::of(name, summary, today)).collect();
    // A stable sort: equals stay in the order of their names.
    ranked.sort_by(|a, b| b.bound.total_cmp(&a.bound));
    let best = ranked.first().filter(|_| count >= u64::from(min_occurrences.max(1)))?;
    let created_at = workers.values().filter_map(|summary| summary.first_at).min();
    let condition = format!("When a subtask is of type `{task_type}`");
    let heuristic = RoutingHeuristic::new(
        routing_id(project, task_type),
        condition,
        preference(&ranked),
        created_at.unwrap_or(Timestamp::UNIX_EPOCH),
    );
    Some(
        heuristic
            .with_worker_preference(ranked.iter().map(|r| r.name.clone()).collect::<Vec<_>>())
            .with_confidence(best.bound)
            .with_success_rate(best.seen.success_rate().unwrap_or(0.0))
            .with_occurrence_count(count),
    )
}

struct Ranked<'a> {
    name: &'a WorkerName,
    seen: Weighted,
    bound: f64,
}

impl<'a> Ranked<'a> {
    fn of(name: &'a WorkerName, summary: &WorkerSummary, today: Day) -> Self {
        let seen = summary.decayed(today);
        Self { name, seen, bound: lower_bound(&seen) }
    }
}

fn preference(ranked: &[Ranked<'_>]) -> String {
    match ranked {
        [only] => format!("`{}` is the only one who has tried", only.name),
        [first, second, ..] => format!("Prefer `{}` over `{}`", first.name, second.name),
        [] => String::new(),
    }
}

/// Returns how tasks of type `task_type` were split, one rule for each way that was tried often enough, best first.
///
/// The confidence is the [`lower_bound`] of the runs' reward, decayed as in [`routing_heuristic`].
pub fn decomposition_heuristics(
    project: &ProjectId,
    task_type: &str,
    stats: &TaskStats,
    today: Day,
    min_occurrences: u32,
) -> Vec<DecompositionHeuristic> {
    let often = |count: u64| count >= u64::from(min_occurrences.max(1));
    let mut rules: Vec<DecompositionHeuristic> = stats
        .plans
        .iter()
        .filter(|(_, plans)| often(plans.history.total().count()))
        .map(|(source, plans)| {
            let seen = plans.history.decayed(today, HALF_LIFE_DAYS);
            let pattern = format!("Tasks of type `{task_type}` with a plan from: {source}");
            let created_at = plans.first_at.unwrap_or(Timestamp::UNIX_EPOCH);
            let id = decomposition_id(project, task_type, *source);
            let typical = plans.subtasks.quantile(0.5).unwrap_or(0);
            DecompositionHeuristic::new(id, pattern, source.strategy(), created_at)
                .with_typical_subtask_count(u32::try_from(typical).unwrap_or(u32::MAX))
                .with_parallelism_factor(plans.parallelism_milli.mean().unwrap_or(1e3) / 1e3)
                .with_confidence(lower_bound(&seen))
                .with_success_rate(seen.success_rate().unwrap_or(0.0))
        })
        .collect();
    rules.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    rules
}

/// Returns the id of the rule about who should get subtasks of type `task_type`.
pub fn routing_id(project: &ProjectId, task_type: &str) -> String {
    id("route", project, task_type, "")
}

/// Returns the id of the rule about plans from `source` for tasks of type `task_type`.
pub fn decomposition_id(project: &ProjectId, task_type: &str, source: PlanSource) -> String {
    id("split", project, task_type, source.as_str())
}

/// Returns the same id for the same rule, whatever is learned about it.
fn id(kind: &str, project: &ProjectId, task_type: &str, what: &str) -> String {
    let named = [kind, project.as_str(), task_type, what].join("\u{1f}");
    let hash = Digest::of_bytes(named.as_bytes()).to_string();
    format!("{kind}_{}", &hash[..12])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DecompositionStrategy;
    use crate::learned::{Moments, PlanStats, Reward, WorkerStats};

    fn worker(done: u32, failed: u32) -> WorkerSummary {
        let mut stats = WorkerStats::default();
        (0..done).for_each(|_| stats.history.record(Day(9), Moments::one(true, Reward::FULL)));
        (0..failed).for_each(|_| stats.history.record(Day(9), Moments::one(false, Reward::NONE)));
        stats.summary().unwrap()
    }

    #[test]
    fn a_routing_rule_prefers_who_is_surely_better() {
        let project = ProjectId::new("p");
        let mut workers =
            BTreeMap::from([("ann".into(), worker(1, 0)), ("bob".into(), worker(19, 1))]);
        let rule = routing_heuristic(&project, "api", &workers, Day(9), 3).unwrap();
        assert_eq!(rule.worker_preference, ["bob", "ann"], "one success says little");
        assert_eq!(rule.routing_strategy, "Prefer `bob` over `ann`");
        assert_eq!((rule.occurrence_count, rule.success_rate), (21, 0.95));
        assert!(rule.confidence > 0.7 && rule.confidence < 0.95);
        workers.remove("bob");
        assert_eq!(routing_heuristic(&project, "api", &workers, Day(9), 3), None);
        let only = routing_heuristic(&project, "api", &workers, Day(9), 1).unwrap();
        assert_eq!(only.id, rule.id);
    }

    #[test]
    fn a_decomposition_rule_says_how_many_and_how_parallel() {
        let mut plans = PlanStats::default();
        for subtasks in [4, 5, 5] {
            plans.history.record(Day(9), Moments::one(true, Reward::FULL));
            plans.subtasks.record(subtasks);
            plans.parallelism_milli.record(2_500);
        }
        let rare = PlanStats::default();
        let stats = TaskStats {
            plans: [(PlanSource::DomainBased, plans), (PlanSource::Planner, rare)].into(),
            ..TaskStats::default()
        };
        let rules = decomposition_heuristics(&ProjectId::new("p"), "audit", &stats, Day(9), 3);
        assert_eq!(rules.len(), 1);
        assert_eq!(rules[0].decomposition_strategy, DecompositionStrategy::DomainBased);
        assert_eq!((rules[0].typical_subtask_count, rules[0].parallelism_factor), (5, 2.5));
    }
}
