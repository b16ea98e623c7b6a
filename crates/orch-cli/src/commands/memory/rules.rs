//! Rules: listed, shown, pinned, forbidden.

use orch_core::nearest;
use orch_memory::{Heuristic, Rule, Verdict};
use serde_json::{Value, json};

use super::Opened;
use crate::error::CliError;
use crate::report::{Report, Text};
use crate::text;

/// Which rule is meant.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Rule id, or a unique prefix of it; see `orch memory list`.
    #[arg(value_name = "RULE")]
    rule: String,
}

/// What is decided about a rule.
#[derive(Debug, clap::Args)]
pub(super) struct Decision {
    #[command(flatten)]
    which: Which,
    /// Reason.
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
}

pub(super) async fn list(opened: &Opened) -> Result<Box<dyn Report>, CliError> {
    Ok(Box::new(List(opened.memory.rules(&opened.project).await?)))
}

pub(super) async fn show(opened: &Opened, rule: &str) -> Result<Box<dyn Report>, CliError> {
    Ok(Box::new(One(find(opened, &Which { rule: rule.to_owned() }).await?)))
}

pub(super) async fn pin(opened: &Opened, decision: &Decision) -> Result<Box<dyn Report>, CliError> {
    decide(opened, &decision.which, Some(Verdict::Pinned), &decision.note).await
}

pub(super) async fn forbid(
    opened: &Opened,
    decision: &Decision,
) -> Result<Box<dyn Report>, CliError> {
    decide(opened, &decision.which, Some(Verdict::Forbidden), &decision.note).await
}

pub(super) async fn release(opened: &Opened, which: &Which) -> Result<Box<dyn Report>, CliError> {
    decide(opened, which, None, "").await
}

async fn decide(
    opened: &Opened,
    which: &Which,
    verdict: Option<Verdict>,
    note: &str,
) -> Result<Box<dyn Report>, CliError> {
    let rule = find(opened, which).await?;
    opened.memory.decide(&opened.project, &rule.heuristic, verdict, note).await?;
    let id = Which { rule: rule.heuristic.id().to_owned() };
    Ok(Box::new(One(find(opened, &id).await?)))
}

async fn find(opened: &Opened, which: &Which) -> Result<Rule, CliError> {
    let rules = opened.memory.rules(&opened.project).await?;
    let mut fitting = rules.iter().filter(|rule| rule.heuristic.id().starts_with(&which.rule));
    match (fitting.next(), fitting.next()) {
        (Some(rule), None) => Ok(rule.clone()),
        (None, _) => {
            let known: Vec<&str> = rules.iter().map(|rule| rule.heuristic.id()).collect();
            let hint = match nearest(&which.rule, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    "`orch memory list` shows all rules, `orch memory show` all types".to_owned()
                }
            };
            Err(CliError::NoRule { rule: which.rule.clone(), hint })
        }
        (Some(_), Some(_)) => {
            let hint = "several begin so".to_owned();
            Err(CliError::NoRule { rule: which.rule.clone(), hint })
        }
    }
}

/// All rules.
struct List(Vec<Rule>);

impl Report for List {
    fn text(&self) -> Text {
        if self.0.is_empty() {
            let notice =
                "no rules yet: they are made when something was seen three times".to_owned();
            return Text { notice, ..Text::default() };
        }
        let lines = self.0.iter().map(|rule| {
            let (certainty, mark) = match rule.is_pinned() {
                true => ("pinned".to_owned(), String::new()),
                false => (format!("{:.2}", rule.heuristic.confidence()), mark(rule)),
            };
            format!("{}  {certainty:<6}  {}{mark}\n", rule.heuristic.id(), sentence(rule))
        });
        Text::data(lines.collect::<String>())
    }

    fn json(&self) -> Value {
        json!({ "rules": self.0 })
    }
}

/// One rule.
struct One(Rule);

impl Report for One {
    fn text(&self) -> Text {
        let rule = &self.0;
        let mut data = format!(
            "{}{}\n{}\n{}\n",
            rule.heuristic.id(),
            mark(rule),
            sentence(rule),
            text::shown(&rule.why)
        );
        let since = match &rule.heuristic {
            Heuristic::Routing(rule) => rule.created_at,
            Heuristic::Decomposition(rule) => rule.created_at,
        };
        data.push_str(&format!("first seen {}\n", text::time(since)));
        if let Some(ruling) = rule.ruling.as_ref().filter(|ruling| !ruling.note.is_empty()) {
            data.push_str(&format!(
                "{} because: {}\n",
                ruling.verdict.as_str(),
                text::shown(&ruling.note)
            ));
        }
        Text::data(data)
    }

    fn json(&self) -> Value {
        json!(self.0)
    }
}

fn sentence(rule: &Rule) -> String {
    text::shown(match &rule.heuristic {
        Heuristic::Routing(rule) => format!("{}: {}", rule.condition, rule.routing_strategy),
        Heuristic::Decomposition(rule) => format!(
            "{}: {} subtasks, {:.1} at once",
            rule.task_pattern, rule.typical_subtask_count, rule.parallelism_factor
        ),
    })
}

fn mark(rule: &Rule) -> String {
    rule.ruling.as_ref().map(|ruling| format!(" [{}]", ruling.verdict.as_str())).unwrap_or_default()
}
