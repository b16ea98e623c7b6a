//! `orch cancel`: ends a run with what it has.

use std::time::Duration;

use orch_app::{Access, Workers};
use orch_core::{Journal, RunId, RunStatus, SubtaskPhase};
use orch_supervisor::Supervisor;
use serde_json::Value;

use super::status::Status;
use crate::error::CliError;
use crate::report::{Report, Text};
use crate::runs;
use crate::session::Session;
use crate::text;

/// How long to wait at most until the end is written.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run id, or a unique prefix of it [default: the latest].
    #[arg(value_name = "RUN")]
    run: Option<String>,
}

/// Cancels the run and waits until it has ended. Its owner carries it out; when there is none that lives, this process does.
pub(crate) async fn run(session: &Session, args: Args) -> Result<Box<dyn Report>, CliError> {
    let (_, config) = session.project()?;
    let store = session.stores.journal(&config, Access::Existing).await?;
    let run = runs::find(&*store, args.run.as_deref()).await?;
    // Nothing new starts, so no worker is needed.
    let supervisor =
        orch_app::supervisor(&config, &Workers::default(), store.clone(), None, "orch cancel")
            .for_client(Session::client());
    let cancelled = cancel(&supervisor, &*store, run).await;
    supervisor.shutdown(CLOSE_TIMEOUT).await;
    Ok(Box::new(Cancelled(cancelled?)))
}

async fn cancel(
    supervisor: &Supervisor,
    journal: &dyn Journal,
    run: RunId,
) -> Result<Status, CliError> {
    if !supervisor.cancel(run).await? {
        let status = supervisor.status(run).await?;
        return Err(CliError::AlreadyEnded { run, status: text::standing(&status).to_owned() });
    }
    supervisor.wait(run).await?;
    Ok(Status { status: supervisor.status(run).await?, row: journal.row(run).await? })
}

/// What was cancelled.
struct Cancelled(Status);

impl Report for Cancelled {
    fn text(&self) -> Text {
        let status = &self.0.status;
        let mut data =
            format!("cancelled run {}: {}\n", status.run_id, text::counts(&status.counts));
        let cancelled = cancelled(status);
        if !cancelled.is_empty() {
            data.push_str(&format!("not done: {}\n", cancelled.join(", ")));
        }
        Text::data(data)
    }

    fn json(&self) -> Value {
        self.0.json()
    }
}

fn cancelled(status: &RunStatus) -> Vec<String> {
    let of = |phase| phase == SubtaskPhase::Cancelled;
    status.subtasks.iter().filter(|s| of(s.status)).map(|s| text::shown(&s.subtask_id)).collect()
}
