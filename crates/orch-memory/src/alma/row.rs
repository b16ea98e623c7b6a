//! What ALMA remembers, in one shape for both of its storages.

use serde::Deserialize;

/// A kind of memory: a table, or a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Heuristic,
    Outcome,
    Preference,
    Knowledge,
    AntiPattern,
}

impl Kind {
    pub(super) const ALL: [Self; 5] =
        [Self::Heuristic, Self::Outcome, Self::Preference, Self::Knowledge, Self::AntiPattern];

    /// ALMA's name for it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Heuristic => "heuristics",
            Self::Outcome => "outcomes",
            Self::Preference => "preferences",
            Self::Knowledge => "domain_knowledge",
            Self::AntiPattern => "anti_patterns",
        }
    }
}

/// Which rows are read: the newest of those that one of the agents has learned, and that are not about another type of task.
/// Preferences are of people: they have neither project nor agent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) project_id: &'a str,
    pub(super) agents: &'a [String],
    pub(super) task_type: &'a str,
}

/// How many of the newest rows of a kind are looked at.
pub(super) const LOOKED_AT: usize = 256;

/// A row of any kind; each kind has its own fields.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Row {
    pub(super) project_id: Option<String>,
    pub(super) agent: Option<String>,
    pub(super) task_type: Option<String>,
    pub(super) condition: Option<String>,
    pub(super) strategy: Option<String>,
    pub(super) task_description: Option<String>,
    pub(super) strategy_used: Option<String>,
    pub(super) error_message: Option<String>,
    pub(super) success: Option<bool>,
    pub(super) preference: Option<String>,
    pub(super) domain: Option<String>,
    pub(super) fact: Option<String>,
    pub(super) pattern: Option<String>,
    pub(super) why_bad: Option<String>,
    pub(super) better_alternative: Option<String>,
    pub(super) confidence: Option<f64>,
    pub(super) created_at: Option<String>,
    pub(super) timestamp: Option<String>,
    pub(super) last_verified: Option<String>,
    pub(super) last_seen: Option<String>,
}

/// How ALMA writes of which tasks a rule is that it has made itself.
const CONDITION: &str = "task type: ";
/// The type that ALMA takes an outcome without one to have, and the domain of a fact that is of none.
const GENERAL: &str = "general";
/// What ALMA writes where nobody has said what is better.
const NOTHING_BETTER: &str = "[To be determined";

impl Row {
    /// Tells whether it is wanted; in SQLite the statement does.
    pub(super) fn is_wanted(&self, kind: Kind, wanted: &Wanted<'_>) -> bool {
        let is_theirs = || {
            self.project_id.as_deref() == Some(wanted.project_id)
                && wanted.agents.iter().any(|agent| self.agent.as_ref() == Some(agent))
        };
        match kind {
            Kind::Preference => true,
            Kind::Knowledge | Kind::AntiPattern => is_theirs(),
            Kind::Heuristic => {
                is_theirs() && self.rule_type().is_none_or(|about| about == wanted.task_type)
            }
            Kind::Outcome => {
                is_theirs() && self.task_type.as_deref().unwrap_or(GENERAL) == wanted.task_type
            }
        }
    }

    /// When it was learned, as ALMA writes it; such texts are in the order of the times.
    pub(super) fn at(&self) -> &str {
        let times = [&self.timestamp, &self.last_seen, &self.last_verified, &self.created_at];
        times.into_iter().find_map(Option::as_deref).unwrap_or_default()
    }

    /// Tells whether it is to be told whatever the task's words are: a preference, or a rule about the type of the task.
    pub(super) fn is_general(&self, kind: Kind, task_type: &str) -> bool {
        match kind {
            Kind::Preference => true,
            Kind::Heuristic => self.rule_type() == Some(task_type),
            Kind::Outcome | Kind::Knowledge | Kind::AntiPattern => false,
        }
    }

    fn rule_type(&self) -> Option<&str> {
        self.condition.as_deref()?.strip_prefix(CONDITION)
    }

    /// Returns what it is about, where that may be another topic than the type of the task: the domain of a fact.
    pub(super) fn topic(&self, kind: Kind) -> Option<&str> {
        match kind {
            Kind::Knowledge => self.domain(),
            // Rules and outcomes are of the task's type or of none, see `is_wanted`.
            Kind::Heuristic | Kind::Outcome | Kind::Preference | Kind::AntiPattern => None,
        }
    }

    fn domain(&self) -> Option<&str> {
        let domain = self.domain.as_deref().map(str::trim);
        domain.filter(|domain| !domain.is_empty() && *domain != GENERAL)
    }

    /// Returns what a worker is told; empty when the row says nothing.
    pub(super) fn tell(&self, kind: Kind) -> String {
        let text = |field: &Option<String>| field.as_deref().unwrap_or_default().trim().to_owned();
        match kind {
            Kind::Heuristic => joined(&text(&self.condition), ": ", &text(&self.strategy), ""),
            Kind::Outcome => {
                let done = text(&self.task_description);
                if done.is_empty() {
                    return done;
                }
                let how = if self.success == Some(true) { "Succeeded" } else { "Failed" };
                let done = joined(&done, " (", &text(&self.strategy_used), ")");
                format!("{how}: {}", joined(&done, ": ", &text(&self.error_message), ""))
            }
            Kind::Preference => text(&self.preference),
            Kind::Knowledge => match self.domain() {
                None => text(&self.fact),
                Some(domain) => joined(domain, ": ", &text(&self.fact), ""),
            },
            Kind::AntiPattern => {
                let bad = joined(&text(&self.pattern), ": ", &text(&self.why_bad), "");
                let better = text(&self.better_alternative);
                let better = if better.starts_with(NOTHING_BETTER) { "" } else { &better };
                joined(&bad, "; better: ", better, "")
            }
        }
    }
}

/// Puts `more` behind `text` if there is any.
fn joined(text: &str, before: &str, more: &str, after: &str) -> String {
    match more {
        "" => text.to_owned(),
        more => format!("{text}{before}{more}{after}"),
    }
}
