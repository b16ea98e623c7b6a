//! `orch status`: how a run stands, or all of them.

use std::io;

use orch_app::Access;
use orch_core::journal::{RunFilter, RunRow};
use orch_core::{RunPhase, RunStatus};
use serde_json::{Value, json};

use crate::columns::Columns;
use crate::error::CliError;
use crate::report::{Report, Text};
use crate::runs;
use crate::session::Session;
use crate::text;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run id, or a unique prefix of it [default: the latest].
    #[arg(value_name = "RUN", conflicts_with = "all")]
    run: Option<String>,
    /// List all runs, newest first.
    #[arg(long)]
    all: bool,
    /// Maximum number of runs to list.
    #[arg(long, value_name = "N", default_value_t = 100, requires = "all", value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

pub(crate) async fn run(session: &Session, args: Args) -> Result<Box<dyn Report>, CliError> {
    let store = session.store(Access::Read).await?;
    if args.all {
        return Ok(Box::new(List(store.rows(&RunFilter::new().with_limit(args.limit)).await?)));
    }
    let run = runs::find(&*store, args.run.as_deref()).await?;
    let row = store.row(run).await?;
    let status = runs::status(&store, run).await?;
    Ok(Box::new(Status { status, row }))
}

/// How one run stands.
pub(super) struct Status {
    pub(super) status: RunStatus,
    pub(super) row: Option<RunRow>,
}

impl Report for Status {
    fn text(&self) -> Text {
        let status = &self.status;
        let columns = Columns::new(io::stdout(), text::LINE_COLUMNS);
        let description = columns.cut(&text::shown(&status.description));
        let mut data = format!("run {}\n{description}\n", status.run_id);
        let took = text::span(text::millis(status.submitted_at, status.updated_at));
        data.push_str(&format!("{}: {}", text::standing(status), text::counts(&status.counts)));
        data.push_str(&format!(", submitted {}, {took}\n", text::time(status.submitted_at)));
        if let Some(owner) = self.row.as_ref().and_then(|row| row.owner.as_ref()) {
            data.push_str(&format!(
                "owner: {} (process {})\n",
                text::shown(&owner.name),
                owner.process.pid
            ));
        }
        data.push_str(&text::subtasks(status, columns));
        Text::data(data)
    }

    fn json(&self) -> Value {
        // A status always has a JSON form.
        let mut document = serde_json::to_value(&self.status).unwrap_or_default();
        if let Some(row) = &self.row {
            document["owner"] = owner(row);
        }
        document
    }
}

/// All runs.
struct List(Vec<RunRow>);

impl Report for List {
    fn text(&self) -> Text {
        let columns = Columns::new(io::stdout(), text::LIST_COLUMNS);
        let lines = self.0.iter().map(|row| {
            let line = format!(
                "{}  {:10}  {:22}  {}  {}",
                row.head.run,
                standing(row),
                text::counts(&row.summary.counts),
                text::time(row.head.created_at),
                text::shown(&row.head.description)
            );
            columns.cut(&line) + "\n"
        });
        Text::data(lines.collect::<String>())
    }

    fn json(&self) -> Value {
        let runs = self.0.iter().map(|row| {
            json!({
                "orchestration_id": row.head.run,
                "task_id": row.head.task_id,
                "task_type": row.head.task_type,
                "project": row.head.project,
                "description": row.head.description,
                "status": row.summary.phase,
                "end_status": row.summary.end,
                "counts": row.summary.counts,
                "submitted_at": row.head.created_at,
                "updated_at": row.updated_at,
                "owner": owner(row),
            })
        });
        json!({ "runs": runs.collect::<Vec<_>>() })
    }
}

fn standing(row: &RunRow) -> &'static str {
    match (row.summary.phase, row.summary.end) {
        (RunPhase::Ended, Some(end)) => end.as_str(),
        (phase, _) => phase.as_str(),
    }
}

fn owner(row: &RunRow) -> Value {
    row.owner
        .as_ref()
        .map_or(Value::Null, |owner| json!({ "name": owner.name, "pid": owner.process.pid }))
}
