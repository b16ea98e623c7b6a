//! Rules with what a person has decided about them.

use std::collections::BTreeMap;
use std::sync::Arc;

use orch_core::learned::{
    Day, HALF_LIFE_DAYS, TaskStats, WorkerSummary, decomposition_heuristics, routing_heuristic,
};
use orch_core::{DecompositionHeuristic, ProjectId, RoutingHeuristic, WorkerName};
use serde::{Deserialize, Serialize};

/// A rule that was made of what was learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Heuristic {
    /// Who should do what.
    Routing(RoutingHeuristic),
    /// How tasks are split.
    Decomposition(DecompositionHeuristic),
}

impl Heuristic {
    /// Returns the id, which stays the same whatever is learned.
    pub fn id(&self) -> &str {
        match self {
            Self::Routing(rule) => &rule.id,
            Self::Decomposition(rule) => &rule.id,
        }
    }

    /// Returns how likely it is right, 0 to 1.
    pub fn confidence(&self) -> f64 {
        match self {
            Self::Routing(rule) => rule.confidence,
            Self::Decomposition(rule) => rule.confidence,
        }
    }
}

/// What a person has decided about a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds as it is, whatever is learned.
    Pinned,
    /// It is offered to nobody.
    Forbidden,
}

impl Verdict {
    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::Forbidden => "forbidden",
        }
    }
}

/// A decision, with the rule as it was then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ruling {
    /// What was decided.
    pub verdict: Verdict,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The rule.
    pub heuristic: Heuristic,
}

/// A rule as a person sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Rule {
    /// The rule; as it was decided about when it is pinned.
    pub heuristic: Heuristic,
    /// Where it comes from, in a sentence.
    pub why: String,
    /// What a person has decided about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ruling: Option<Ruling>,
}

impl Rule {
    /// Tells whether it holds whatever is learned. It is then offered with confidence 1.
    pub fn is_pinned(&self) -> bool {
        self.ruling.as_ref().is_some_and(|ruling| ruling.verdict == Verdict::Pinned)
    }
}

/// What is known of a project.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Workers, by type of subtask.
    pub(crate) workers: BTreeMap<Arc<str>, BTreeMap<WorkerName, WorkerSummary>>,
    /// Runs, by type of task.
    pub(crate) tasks: BTreeMap<String, TaskStats>,
    pub(crate) rulings: Vec<Ruling>,
}

impl Known {
    pub(crate) fn today(&self) -> Day {
        let all = self.workers.values().flat_map(BTreeMap::values);
        all.map(|summary| summary.latest).max().unwrap_or(Day(0))
    }
}

/// Returns all rules of a project for which there are at least `min_occurrences`: first those that are pinned, then those with
/// the greatest confidence.
pub(crate) fn rules(project: &ProjectId, known: &Known, min_occurrences: u32) -> Vec<Rule> {
    let today = known.today();
    let routing = known.workers.iter().filter_map(|(task_type, workers)| {
        let rule = routing_heuristic(project, task_type, workers, today, min_occurrences)?;
        let why = why_routing(&rule, workers);
        Some(Rule { heuristic: Heuristic::Routing(rule), why, ruling: None })
    });
    let splitting = known.tasks.iter().flat_map(|(task_type, stats)| {
        decomposition_heuristics(project, task_type, stats, today, min_occurrences)
    });
    let splitting = splitting.map(|rule| {
        let why = why_splitting(&rule);
        Rule { heuristic: Heuristic::Decomposition(rule), why, ruling: None }
    });
    let mut rules: Vec<Rule> = routing.chain(splitting).collect();
    for ruling in &known.rulings {
        let id = ruling.heuristic.id();
        if !rules.iter().any(|rule| rule.heuristic.id() == id) {
            let why = "It was learned before, and there is no evidence for it any more.".to_owned();
            rules.push(Rule { heuristic: ruling.heuristic.clone(), why, ruling: None });
        }
        for rule in rules.iter_mut().filter(|rule| rule.heuristic.id() == id) {
            if ruling.verdict == Verdict::Pinned {
                rule.heuristic = ruling.heuristic.clone();
            }
            rule.ruling = Some(ruling.clone());
        }
    }
    let confidence = |rule: &Rule| rule.heuristic.confidence();
    rules.sort_by(|a, b| {
        b.is_pinned().cmp(&a.is_pinned()).then(confidence(b).total_cmp(&confidence(a)))
    });
    rules
}

fn why_routing(rule: &RoutingHeuristic, workers: &BTreeMap<WorkerName, WorkerSummary>) -> String {
    let records = rule.worker_preference.iter().take(3).filter_map(|name| {
        let WorkerSummary { successes, attempts, .. } = workers.get(name)?;
        Some(format!("`{name}` succeeded in {successes} of {attempts}"))
    });
    let records = records.collect::<Vec<_>>().join(", ");
    format!(
        "{records}; an attempt of {HALF_LIFE_DAYS} days ago counts half, and the first of them is with 95 % certainty good for more \
         than {:.2} of the full reward.",
        rule.confidence
    )
}

fn why_splitting(rule: &DecompositionHeuristic) -> String {
    format!(
        "Such plans succeeded in {:.0} % of the runs, the old ones counted for less; with 95 % certainty they are good for more than \
         {:.2} of the full reward; half of them had at most {} subtasks.",
        rule.success_rate * 1e2,
        rule.confidence,
        rule.typical_subtask_count
    )
}

/// Leaves out what is forbidden, and puts what is pinned first, with full confidence.
pub(crate) fn ruled(
    rulings: &[Ruling],
    routing: &mut Vec<RoutingHeuristic>,
    decomposition: &mut Vec<DecompositionHeuristic>,
    concerns: impl Fn(&Heuristic) -> bool,
) {
    for ruling in rulings.iter().filter(|ruling| concerns(&ruling.heuristic)) {
        let id = ruling.heuristic.id();
        routing.retain(|rule| rule.id != id);
        decomposition.retain(|rule| rule.id != id);
        match (ruling.verdict, &ruling.heuristic) {
            (Verdict::Forbidden, _) => {}
            (Verdict::Pinned, Heuristic::Routing(rule)) => {
                routing.insert(0, rule.clone().with_confidence(1.0));
            }
            (Verdict::Pinned, Heuristic::Decomposition(rule)) => {
                decomposition.insert(0, rule.clone().with_confidence(1.0));
            }
        }
    }
}
