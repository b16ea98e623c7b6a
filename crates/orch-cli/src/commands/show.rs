//! `orch show`: the output of a run, or what happened to one of its subtasks.

use std::sync::Arc;
use std::time::Duration;

use orch_app::{Access, AttemptRecord, Show, SubtaskHistory};
use orch_core::AttemptEnd;
use orch_core::journal::Journal;
use orch_core::{Event, LockWait, OrchestrationResult, RunId, Seq, nearest};
use orch_supervisor::Supervisor;
use serde_json::{Value, json};

use super::finished::with_id;
use super::resume::note_in;
use super::status::Status;
use crate::conflicts;
use crate::error::CliError;
use crate::report::{Report, Text};
use crate::runs;
use crate::session::Session;
use crate::text;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run id, or a unique prefix of it; `latest` is the latest [default: the latest].
    #[arg(value_name = "RUN")]
    run: Option<String>,
    /// Subtask to show: attempts, reasons for the workers, result and evidence.
    #[arg(value_name = "SUBTASK")]
    subtask: Option<String>,
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Box<dyn Report>, CliError> {
    let store = session.store(Access::Read).await?;
    let run = runs::find(&*store, args.run.as_deref()).await?;
    if let Some(id) = args.subtask {
        return Ok(Box::new(subtask(&store, run, id).await?));
    }
    let supervisor = orch_app::reader(store.clone());
    let found = output(&supervisor, &*store, run).await;
    supervisor.shutdown(Duration::ZERO).await;
    found
}

async fn output(
    supervisor: &Supervisor,
    journal: &dyn Journal,
    run: RunId,
) -> Result<Box<dyn Report>, CliError> {
    match supervisor.result(run).await? {
        Some(result) => Ok(Box::new(Output {
            run,
            result,
            show: note_in(&journal.load(run, Seq(0)).await?).show,
        })),
        None => Ok(Box::new(Status {
            status: supervisor.status(run).await?,
            row: journal.row(run).await?,
        })),
    }
}

async fn subtask(store: &Arc<dyn Journal>, run: RunId, id: String) -> Result<OneSubtask, CliError> {
    let events = store.load(run, Seq(0)).await?;
    if let Some(history) = orch_app::history(&**store, &events, &id).await? {
        // Only what needs locks can wait for one.
        let subtasks = match history.subtask.locks.is_empty() {
            true => Vec::new(),
            false => runs::status(store, run).await?.subtasks,
        };
        let waits_for = subtasks.into_iter().find(|it| it.subtask_id == *id);
        return Ok(OneSubtask { run, history, waits_for: waits_for.and_then(|it| it.waits_for) });
    }
    let plans = events.iter().filter_map(|recorded| {
        let Event::PlanAdopted { add, .. } = &recorded.event else { return None };
        Some(add)
    });
    let known: Vec<&str> =
        plans.flat_map(|plan| &plan.subtasks).map(|subtask| subtask.id.as_str()).collect();
    let hint = match nearest(&id, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it has: {}", known.join(", ")),
    };
    Err(CliError::UnknownSubtask { run, id, hint })
}

/// What a run made.
struct Output {
    run: RunId,
    result: OrchestrationResult,
    show: Show,
}

impl Report for Output {
    fn text(&self) -> Text {
        let remarks = format!("run {}: {}\n", self.run, self.result.status);
        let errors = self.result.errors.iter().map(|error| format!("  ! {}\n", text::shown(error)));
        let data = self.show.text_of(&self.result.aggregated_output);
        let conflicts = conflicts::lines(&self.result.conflicts_resolved);
        let remarks = remarks + &errors.collect::<String>() + &conflicts;
        Text { data, exact: true, remarks, ..Text::default() }
    }

    fn json(&self) -> Value {
        with_id(self.run, &self.result)
    }
}

/// What happened to a subtask.
struct OneSubtask {
    run: RunId,
    history: SubtaskHistory,
    waits_for: Option<LockWait>,
}

impl Report for OneSubtask {
    fn text(&self) -> Text {
        let subtask = &self.history.subtask;
        let mut data = format!(
            "{} ({}): {}\n",
            text::shown(&subtask.id),
            text::shown(&subtask.task_type),
            text::shown(&subtask.description)
        );
        if let Some(wait) = &self.waits_for {
            data.push_str(&format!("{}\n", text::shown(wait)));
        }
        for attempt in &self.history.attempts {
            data.push_str(&attempt_text(attempt));
        }
        if let Some(result) = &self.history.result {
            if let Ok(Some(evidence)) = result.evidence() {
                data.push_str(&format!("evidence: {:#}\n", Value::Object(evidence)));
            }
            data.push_str(&format!("output: {:#}\n", result.output));
        }
        Text::data(data)
    }

    fn json(&self) -> Value {
        let mut document = json!({ "orchestration_id": self.run });
        if let (Some(all), Ok(Value::Object(fields))) =
            (document.as_object_mut(), serde_json::to_value(&self.history))
        {
            all.extend(fields);
        }
        if let Some(wait) = &self.waits_for {
            document["waits_for"] = json!(wait);
        }
        document
    }
}

fn attempt_text(attempt: &AttemptRecord) -> String {
    let took = attempt
        .until
        .map(|until| format!(" after {}", text::span(text::millis(attempt.since, until))));
    let took = took.unwrap_or_default();
    let end = match &attempt.end {
        None => "open".to_owned(),
        Some(AttemptEnd::Accepted) => format!("accepted{took}"),
        Some(AttemptEnd::Failed(failure)) => format!("failed{took}: {}", text::shown(failure)),
        Some(AttemptEnd::Lost(cause)) => format!("lost{took} ({cause})"),
        Some(AttemptEnd::Closed(reason)) => format!("closed{took} ({reason})"),
    };
    let mut lines = format!(
        "attempt {} by {} at {}: {end}\n",
        attempt.fence,
        text::shown(&attempt.worker),
        text::time(attempt.since)
    );
    if let Some(route) = &attempt.route {
        lines.push_str(&format!("  why: {}\n", text::shown(&route.reason)));
    }
    let evidence = match &attempt.end {
        Some(AttemptEnd::Failed(failure)) => Some(&failure.evidence),
        Some(AttemptEnd::Accepted | AttemptEnd::Lost(_) | AttemptEnd::Closed(_)) | None => {
            attempt.evidence.as_ref()
        }
    };
    if let Some(evidence) = evidence.filter(|evidence| !evidence.is_empty()) {
        lines.push_str(&format!("  evidence: {:#}\n", Value::Object(evidence.clone())));
    }
    lines
}
