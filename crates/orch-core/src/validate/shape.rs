//! What can be wrong with a plan, whatever workers there are.

use std::collections::{HashMap, HashSet};

use super::{MAX_NAME_LENGTH, NameFault, PlanIssue};
use crate::graph::PlanGraph;
use crate::replicas::replica_id;
use crate::{DecompositionPlan, Gate, PlanSource, Subtask, SubtaskId, nearest};

/// How many names are looked at for suggestions in one validation: enough for every plan that a person reads, and no burden
/// in a plan of 100,000 subtasks of which each names an unknown one.
const MAX_COMPARISONS: usize = 50_000;

pub(super) fn issues(plan: &DecompositionPlan) -> Vec<PlanIssue> {
    let mut issues = plan_issues(plan);
    let ids = Ids::of(plan);
    issues.extend(id_issues(plan, &ids));
    let mut suggestions = Suggestions::new(plan);
    for subtask in &plan.subtasks {
        dependency_issues(subtask, &ids, &mut suggestions, &mut issues);
        subtask_issues(subtask, &mut issues);
    }
    let cycles = PlanGraph::of(plan).cycles();
    issues.extend(cycles.into_iter().map(|places| PlanIssue::Cycle {
        subtasks: places.into_iter().map(|place| plan.subtasks[place].id.clone()).collect(),
    }));
    issues
}

fn plan_issues(plan: &DecompositionPlan) -> Vec<PlanIssue> {
    let mut issues = Vec::new();
    // A list may be empty: then there is nothing to do, and that is no mistake.
    if plan.subtasks.is_empty() && plan.source != PlanSource::DomainBased {
        issues.push(PlanIssue::Empty);
    }
    let mut check = |field, value: f64, fits: bool, expected| {
        if !fits {
            let value = value.to_string();
            issues.push(PlanIssue::BadNumber { subtask: None, field, value, expected });
        }
    };
    let confidence = plan.confidence;
    check("confidence", confidence, (0.0..=1.0).contains(&confidence), "a number from 0 to 1");
    let factor = plan.parallelism_factor;
    let fits = factor.is_finite() && factor >= 1.0;
    check("parallelism_factor", factor, fits, "a number of at least 1");
    issues
}

/// The plan's ids with how often each is used, and how many replicas its first subtask has.
struct Ids<'a>(HashMap<&'a str, (usize, u32)>);

impl<'a> Ids<'a> {
    fn of(plan: &'a DecompositionPlan) -> Self {
        let mut ids = HashMap::with_capacity(plan.subtasks.len());
        for subtask in &plan.subtasks {
            ids.entry(subtask.id.as_str()).or_insert((0, subtask.replicas)).0 += 1;
        }
        Self(ids)
    }

    fn has(&self, id: &SubtaskId) -> bool {
        self.0.contains_key(id.as_str())
    }

    /// Returns the subtask one of whose replicas would get this id.
    fn replicated(&self, id: &SubtaskId) -> Option<SubtaskId> {
        let (of, number) = id.as_str().rsplit_once('#')?;
        let number: u32 = number.parse().ok()?;
        let (_, replicas) = self.0.get(of)?;
        let of = SubtaskId::new(of);
        // Written back, since `a#01` and `a#+1` are no ids of replicas.
        (*replicas > 1 && (1..=*replicas).contains(&number) && replica_id(&of, number) == *id)
            .then_some(of)
    }
}

fn id_issues(plan: &DecompositionPlan, ids: &Ids<'_>) -> Vec<PlanIssue> {
    let mut issues = Vec::new();
    let mut reported = HashSet::new();
    for subtask in &plan.subtasks {
        let id = &subtask.id;
        let times = ids.0.get(id.as_str()).map_or(0, |(times, _)| *times);
        if times > 1 && !reported.insert(id.as_str()) {
            continue;
        }
        if times > 1 {
            issues.push(PlanIssue::DuplicateId { id: id.clone(), times });
        }
        if let Some(fault) = fault(id.as_str()) {
            issues.push(PlanIssue::BadId { id: id.clone(), fault });
        }
        if id.as_str().starts_with('$') {
            issues.push(PlanIssue::ReservedId { id: id.clone() });
        }
        if let Some(of) = ids.replicated(id) {
            issues.push(PlanIssue::ReplicaId { id: id.clone(), of });
        }
    }
    issues
}

fn dependency_issues(
    subtask: &Subtask,
    ids: &Ids<'_>,
    suggestions: &mut Suggestions<'_>,
    issues: &mut Vec<PlanIssue>,
) {
    let id = || subtask.id.clone();
    let mut seen = HashSet::with_capacity(subtask.dependencies.len());
    for dependency in &subtask.dependencies {
        if !seen.insert(dependency.as_str()) {
            let dependency = dependency.clone();
            issues.push(PlanIssue::RepeatedDependency { subtask: id(), dependency });
        } else if *dependency == subtask.id {
            issues.push(PlanIssue::SelfDependency { subtask: id() });
        } else if !ids.has(dependency) {
            let nearest = suggestions.nearest(dependency, &subtask.id);
            let dependency = dependency.clone();
            issues.push(PlanIssue::UnknownDependency { subtask: id(), dependency, nearest });
        }
    }
    for tolerated in subtask.tolerates.iter().filter(|t| !seen.contains(t.as_str())) {
        let names = subtask.dependencies.iter().map(SubtaskId::as_str);
        let nearest = nearest(tolerated.as_str(), names).map(SubtaskId::new);
        let tolerated = tolerated.clone();
        issues.push(PlanIssue::TolerateNotDependency { subtask: id(), tolerated, nearest });
    }
}

fn subtask_issues(subtask: &Subtask, issues: &mut Vec<PlanIssue>) {
    let id = || subtask.id.clone();
    if subtask.priority > 100 {
        let priority = subtask.priority;
        issues.push(PlanIssue::PriorityOutOfRange { subtask: id(), priority });
    }
    if subtask.replicas == 0 {
        issues.push(PlanIssue::ZeroReplicas { subtask: id() });
    }
    let locks: Vec<_> = subtask.locks.iter().map(|lock| lock.as_str()).collect();
    for (lock, fault) in faults(&locks) {
        issues.push(PlanIssue::BadLock { subtask: id(), lock, fault });
    }
    let artifacts: Vec<_> = subtask.artifacts.iter().map(String::as_str).collect();
    for (artifact, fault) in faults(&artifacts) {
        issues.push(PlanIssue::BadArtifact { subtask: id(), artifact, fault });
    }
    let number = |(field, value, expected)| {
        let subtask = Some(id());
        PlanIssue::BadNumber { subtask, field, value, expected }
    };
    issues.extend(bad_numbers(subtask).into_iter().map(number));
}

/// Returns field, value and what is expected of every number of the subtask that makes no sense.
fn bad_numbers(subtask: &Subtask) -> Vec<(&'static str, String, &'static str)> {
    let mut bad = Vec::new();
    if subtask.timeout_ms == Some(0) {
        bad.push(("timeout_ms", "0".to_owned(), "at least 1 millisecond"));
    }
    let cost = subtask.constraints.as_ref().and_then(|c| c.max_cost_usd);
    if let Some(cost) = cost.filter(|cost| !(cost.is_finite() && *cost >= 0.0)) {
        bad.push(("max_cost_usd", cost.to_string(), "an amount of at least 0"));
    }
    for gate in &subtask.gates {
        if let Gate::MinConfidencePercent(percent @ 101..) = gate {
            bad.push(("min_confidence_percent", percent.to_string(), "0 to 100"));
        }
    }
    bad
}

/// Returns the names of one list that are no proper names.
fn faults(names: &[&str]) -> Vec<(String, NameFault)> {
    let mut seen = HashSet::with_capacity(names.len());
    names
        .iter()
        .filter_map(|name| {
            let repeated = (!seen.insert(*name)).then_some(NameFault::Repeated);
            Some(((*name).to_owned(), repeated.or_else(|| fault(name))?))
        })
        .collect()
}

fn fault(name: &str) -> Option<NameFault> {
    if name.trim().is_empty() {
        Some(NameFault::Blank)
    } else if name.chars().any(char::is_control) {
        Some(NameFault::Control)
    } else if name.trim() != name {
        Some(NameFault::Padded)
    } else if name.chars().count() > MAX_NAME_LENGTH {
        Some(NameFault::TooLong)
    } else {
        None
    }
}

/// Finds ids that may have been meant, until [`MAX_COMPARISONS`] names were looked at.
struct Suggestions<'a> {
    plan: &'a DecompositionPlan,
    left: usize,
}

impl<'a> Suggestions<'a> {
    fn new(plan: &'a DecompositionPlan) -> Self {
        Self { plan, left: MAX_COMPARISONS }
    }

    fn nearest(&mut self, unknown: &SubtaskId, asker: &SubtaskId) -> Option<SubtaskId> {
        self.left = self.left.checked_sub(self.plan.subtasks.len())?;
        let ids = self.plan.subtasks.iter().map(|s| s.id.as_str());
        nearest(unknown.as_str(), ids.filter(|id| asker != id)).map(SubtaskId::new)
    }
}
