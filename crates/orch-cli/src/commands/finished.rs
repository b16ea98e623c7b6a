//! A run that was followed: how it ended, or that it is suspended.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use orch_app::{Show, Signals};
use orch_core::{Journal, OrchestrationResult, RunId, RunStatus};
use orch_supervisor::Supervisor;
use serde_json::{Value, json};

use crate::columns::Columns;
use crate::conflicts;
use crate::exit::Exit;
use crate::follow::End;
use crate::report::{Report, Text};
use crate::runs;
use crate::text;

/// How long to wait at most until what was done is learned from and the store is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);
/// What is said of a run whose suspension could not be written.
const NOT_WRITTEN: &str = "the store could not be told that the run is suspended; what was accepted is not lost, and what ran is done again";

/// A run that was followed.
pub(crate) struct Finished {
    run: RunId,
    status: Option<RunStatus>,
    end: End,
    show: Show,
}

impl Finished {
    /// Reads how the run stands and ends the supervisor, as far as signals and the time allow.
    pub(crate) async fn new(
        supervisor: Supervisor,
        store: Arc<dyn Journal>,
        run: RunId,
        end: End,
        show: Show,
        signals: &mut Signals,
    ) -> Self {
        let mut status = None;
        match end {
            End::Ended(_) | End::Untold(_) | End::Suspended => {
                let closing = async {
                    supervisor.shutdown(CLOSE_TIMEOUT).await;
                    // What became of the run is known, whether or not it can be read now.
                    status = runs::status(&store, run).await.ok();
                };
                // Everything that matters is written: without time the process leaves.
                signals.within_time(tokio::time::timeout(CLOSE_TIMEOUT, closing)).await;
            }
            // There is no time left.
            End::Killed | End::NotWritten => {}
        }
        Self { run, status, end, show }
    }
}

impl Report for Finished {
    fn text(&self) -> Text {
        let remarks =
            self.status.as_ref().map(|status| summary(status, &self.end)).unwrap_or_default();
        match &self.end {
            End::Ended(result) => {
                let data = self.show.text_of(&result.aggregated_output);
                let notice = conflicts::notice(self.run, &result.conflicts_resolved);
                Text { data, exact: true, remarks, notice }
            }
            End::Untold(result) => {
                let data = self.show.text_of(&result.aggregated_output);
                let untold = "error: not all events were written to what `--events` names";
                let dropped = conflicts::notice(self.run, &result.conflicts_resolved);
                let notice = format!("{dropped}\n{untold}").trim_start().to_owned();
                Text { data, exact: true, remarks, notice }
            }
            End::Suspended | End::Killed | End::NotWritten => {
                let mut notice = format!("go on with: orch resume {}", self.run);
                if matches!(self.end, End::NotWritten) {
                    notice = format!("{NOT_WRITTEN}\n{notice}");
                }
                Text { remarks, notice, ..Text::default() }
            }
        }
    }

    fn json(&self) -> Value {
        match &self.end {
            End::Ended(result) | End::Untold(result) => with_id(self.run, result),
            End::Suspended | End::Killed | End::NotWritten => {
                json!({ "orchestration_id": self.run, "status": "suspended", "resume": format!("orch resume {}", self.run) })
            }
        }
    }

    fn exit(&self) -> Exit {
        match &self.end {
            End::Ended(result) => result.status.into(),
            End::Untold(_) => Exit::Failed,
            End::Suspended | End::Killed | End::NotWritten => Exit::Suspended,
        }
    }
}

/// Returns a result with the id of its run in front.
pub(super) fn with_id(run: RunId, result: &OrchestrationResult) -> Value {
    let mut document = json!({ "orchestration_id": run });
    if let (Some(all), Ok(Value::Object(fields))) =
        (document.as_object_mut(), serde_json::to_value(result))
    {
        all.extend(fields);
    }
    document
}

fn summary(status: &RunStatus, end: &End) -> String {
    let took = text::span(text::millis(status.submitted_at, status.updated_at));
    let mut lines =
        format!("{}: {} in {took}\n", text::standing(status), text::counts(&status.counts));
    let columns = Columns::new(io::stderr(), text::LINE_COLUMNS);
    lines.push_str(&text::subtasks(status, columns));
    let mut line = |head: &str, of_others: &str| {
        lines.push_str(&columns.cut(&format!("  {head} {}", text::shown(of_others))));
        lines.push('\n');
    };
    if let End::Ended(result) | End::Untold(result) = end {
        let of_subtasks = |error: &&String| !error.starts_with("subtask `");
        result.errors.iter().filter(of_subtasks).for_each(|error| line("!", error));
        result.conflicts_resolved.iter().for_each(|conflict| line("conflict", conflict));
    }
    lines
}
