//! `orch plan`: what a run of a task is expected to be. Runs nothing, writes nothing.

use jiff::Timestamp;
use orch_app::{Access, AppError, Config, Part};
use orch_core::learned::Expectation;
use orch_core::{ComplexTask, DecompositionPlan, Memory, MemorySnapshot, RunSettings};
use orch_supervisor::{Basis, Estimate, ExpectedAttempt, ExpectedSubtask, Forecast};
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr as _;

use super::task::{Job, TaskArgs};
use crate::columns::padded;
use crate::error::CliError;
use crate::report::{self, Report, Text};
use crate::session::Session;
use crate::text;

const EXAMPLES: &str = "Examples:
  orch plan task.yaml                      who would do what and when, and how that is known
  orch plan task.yaml --max-parallel 2     how long it takes with two at once
  orch plan task.yaml --set repo=../other  as `orch run` would take it
  orch plan -- Refactor                    a sentence, whatever it looks like; `-` is a task file from stdin
  orch plan task.yaml --json | jq .forecast.wall_ms";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    task: TaskArgs,
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Box<dyn Report>, CliError> {
    let Job { task, config, workers, settings } = args.task.read(session)?;
    report::note_withheld(&config, &[Part::Store, Part::Embeddings, Part::AlmaVariables]);
    let memory = recalled(session, &config, &settings, &task.task).await?;
    let plan = orch_app::check(&config, &workers, &task, &settings)?;
    let snapshot = memory.clone().unwrap_or_default();
    let forecast = orch_app::forecast(&config, &workers, &task, &plan, &settings, &snapshot, now());
    let earlier = snapshot.learned.tasks.plans.get(&plan.source);
    let earlier = earlier.and_then(|plans| plans.expectation(snapshot.learned.today));
    Ok(Box::new(Planned {
        task_type: task.task.task_type,
        plan,
        settings,
        has_memory: memory.is_some(),
        earlier,
        forecast,
    }))
}

/// Reads what memory knows of a task; `None` where there is no store yet, or one in which nothing is learned.
async fn recalled(
    session: &Session,
    config: &Config,
    settings: &RunSettings,
    task: &ComplexTask,
) -> Result<Option<MemorySnapshot>, CliError> {
    let store = match session.stores.journal(config, Access::Read).await {
        Ok(store) => store,
        Err(AppError::NoStore { .. } | AppError::Withheld(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let memory = session.stores.memory(config, store.clone(), Access::Read).await?;
    let snapshot = match memory {
        Some(memory) => {
            Some(memory.snapshot(&settings.project, task).await.map_err(CliError::Recall)?)
        }
        None => None,
    };
    Ok(snapshot)
}

#[expect(clippy::disallowed_methods, reason = "the deadlines of a task are compared with it")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// A plan, and what becomes of it.
struct Planned {
    task_type: String,
    plan: DecompositionPlan,
    settings: RunSettings,
    has_memory: bool,
    /// How runs went that had such a plan.
    earlier: Option<Expectation>,
    forecast: Forecast,
}

impl Report for Planned {
    fn text(&self) -> Text {
        Text::data(self.head() + "\n" + &subtasks(&self.forecast))
    }

    fn json(&self) -> Value {
        json!({
            "task_type": self.task_type,
            "strategy": self.settings.strategy,
            "max_parallel": self.settings.max_parallel,
            "memory": self.has_memory,
            "earlier_runs": self.earlier,
            "plan": self.plan,
            "forecast": self.forecast,
        })
    }
}

impl Planned {
    fn head(&self) -> String {
        let forecast = &self.forecast;
        let mut lines = vec![format!(
            "plan: {} subtasks, from: {}, confidence {:.2}",
            forecast.subtasks.len(),
            text::shown(self.plan.source),
            self.plan.confidence
        )];
        lines.extend(self.plan.notes.iter().map(|note| format!("  {}", text::shown(note))));
        let task_type = text::shown(&self.task_type);
        lines.push(match (&self.earlier, self.has_memory) {
            (Some(earlier), _) => {
                format!("earlier runs of type `{task_type}` with such a plan: {earlier}")
            }
            (None, true) => {
                format!("earlier runs of type `{task_type}` with such a plan: none")
            }
            (None, false) => "earlier runs: no memory here yet".to_owned(),
        });
        lines.push(format!(
            "time: {}, or {} if everything is slow ({}, at most {} at once, {} needed)",
            text::span(forecast.wall_ms),
            text::span(forecast.slow_wall_ms),
            self.settings.strategy,
            self.settings.max_parallel,
            forecast.most_at_once
        ));
        let path: Vec<String> = forecast.longest_path.iter().map(text::shown).collect();
        lines.push(format!(
            "longest path: {}, {}",
            text::span(forecast.longest_path_ms),
            path.join(" -> ")
        ));
        let levels: Vec<String> = forecast.levels.iter().map(ToString::to_string).collect();
        lines.push(format!(
            "average parallelism: {:.1} without limits; by level {}",
            forecast.parallelism,
            levels.join(", ")
        ));
        lines.push(cost(forecast));
        lines.push(known_from(forecast));
        lines.extend(
            forecast
                .ends_early
                .iter()
                .map(|why| format!("! it would end early: {}", text::shown(why))),
        );
        lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

fn cost(forecast: &Forecast) -> String {
    match forecast.cost_micro_usd {
        None => "cost: unknown".to_owned(),
        Some(micro) => {
            let unknown = match forecast.unpriced {
                0 => String::new(),
                count => format!(", unknown for {count} subtasks"),
            };
            format!("cost: ${:.4}{unknown}", micro as f64 / 1e6)
        }
    }
}

fn known_from(forecast: &Forecast) -> String {
    let attempts = || forecast.subtasks.iter().filter_map(|subtask| subtask.attempt.as_ref());
    let count = |is: fn(&Basis) -> bool| attempts().filter(|a| is(&a.estimate.basis)).count();
    format!(
        "durations: {} from memory, {} from the plan, {} guessed",
        count(|basis| matches!(basis, Basis::Worker(_) | Basis::TaskType(_))),
        count(|basis| matches!(basis, Basis::Plan)),
        forecast.guessed
    )
}

/// Writes each subtask with who does it, when, how long it takes, how that is known, and why it is this worker.
fn subtasks(forecast: &Forecast) -> String {
    let width = |of: &dyn Fn(&ExpectedSubtask) -> usize| {
        forecast.subtasks.iter().map(of).max().unwrap_or(0)
    };
    let ids = width(&|s| text::shown(&s.subtask_id).width());
    let workers = width(&|s| s.attempt.as_ref().map_or(0, |a| text::shown(&a.worker).width()));
    let mut lines = String::new();
    for subtask in &forecast.subtasks {
        let id = padded(&text::shown(&subtask.subtask_id), ids);
        let line = match &subtask.attempt {
            Some(attempt) => format!(
                "{id}  {}  {:>7} + {:>7} (slow {})  {}",
                padded(&text::shown(&attempt.worker), workers),
                text::span(attempt.starts_at_ms),
                text::span(attempt.estimate.duration_ms),
                text::span(attempt.estimate.slow_ms),
                basis(&attempt.estimate)
            ),
            None => format!("{id}  would not start"),
        };
        lines.push_str(line.trim_end());
        lines.push('\n');
        lines.extend(
            subtask.problem.iter().map(|problem| format!("  ! {}\n", text::shown(problem))),
        );
        lines.extend(subtask.attempt.iter().map(why));
    }
    lines
}

fn basis(estimate: &Estimate) -> String {
    let attempts =
        |count: u64| if count == 1 { "1 attempt".to_owned() } else { format!("{count} attempts") };
    match estimate.basis {
        Basis::Worker(count) => format!("memory: {}", attempts(count)),
        Basis::TaskType(count) => format!("memory: {} of others", attempts(count)),
        Basis::Plan => "plan".to_owned(),
        Basis::Guess => "guess".to_owned(),
        _ => String::new(),
    }
}

fn why(attempt: &ExpectedAttempt) -> String {
    let reasoning = text::shown(&attempt.reasoning);
    let mut lines = format!("  why: {reasoning}, confidence {:.2}\n", attempt.confidence);
    if !attempt.fallback_workers.is_empty() {
        let others: Vec<String> = attempt.fallback_workers.iter().map(text::shown).collect();
        lines.push_str(&format!("  then: {}\n", others.join(", ")));
    }
    lines.extend(attempt.record.as_ref().map(|Expectation { attempts, successes, confidence, .. }| {
        format!("  record: {successes}/{attempts} succeeded (score >= {confidence:.2}, 95 % confidence)\n")
    }));
    lines
}
