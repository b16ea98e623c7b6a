//! `orch memory forget`.

use orch_memory::{Forget, Forgotten};
use serde_json::{Value, json};

use super::Opened;
use crate::error::CliError;
use crate::report::{Report, Text};
use crate::runs;
use crate::text;

const EXAMPLES: &str = "Examples:
  orch memory forget --worker tester                        what it would be
  orch memory forget --worker tester --task-type api --yes  of one worker at one type
  orch memory forget --run 01a2 --yes                       the texts of a run
  orch memory forget --all --yes                            everything of the project";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    chosen: Chosen,
    /// Forget; without it, only show what would be forgotten.
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
    /// Only show what would be forgotten (default).
    #[arg(long)]
    dry_run: bool,
}

/// What to forget. A struct of its own: whatever is beside it in a group of clap's counts as a choice, `--yes`, too.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
struct Chosen {
    /// Everything known of this worker.
    #[arg(long, value_name = "NAME")]
    worker: Option<String>,
    /// Everything known of this type.
    #[arg(long, value_name = "TYPE")]
    task_type: Option<String>,
    /// Texts of this run, imported ones too; its share of the statistics stays.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["worker", "task_type"])]
    run: Option<String>,
    /// Everything of the project, pinned and forbidden rules too.
    #[arg(long, conflicts_with_all = ["worker", "task_type", "run"])]
    all: bool,
}

pub(super) async fn run(opened: &Opened, args: Args) -> Result<Box<dyn Report>, CliError> {
    let Chosen { worker, task_type, run, all: _ } = args.chosen;
    let run = match &run {
        Some(prefix) => {
            let (journal, memory) = (&*opened.journal, &opened.memory);
            Some(runs::find_remembered(journal, memory, &opened.project, prefix).await?)
        }
        None => None,
    };
    let why = match (&worker, &task_type, run) {
        (Some(worker), Some(task_type), _) => format!("of worker `{worker}` at `{task_type}`"),
        (Some(worker), None, _) => format!("of worker `{worker}`"),
        (None, Some(task_type), _) => format!("of type `{task_type}`"),
        (None, None, Some(run)) => format!("of run {run}; what it has added to sums stays"),
        (None, None, None) => format!("of project {}", opened.project),
    };
    let what = Forget::all_of(opened.project.clone())
        .with_worker(worker.map(Into::into))
        .with_task_type(task_type)
        .with_run(run);
    let forgotten = opened.memory.forget(&what, !args.yes).await?;
    Ok(Box::new(Answer { forgotten, why, done: args.yes }))
}

/// What is, or would be, forgotten, and why.
struct Answer {
    forgotten: Forgotten,
    why: String,
    done: bool,
}

impl Report for Answer {
    fn text(&self) -> Text {
        let Forgotten { workers, tasks, examples, parts, rulings, .. } = self.forgotten;
        let verb = if self.done { "forgotten" } else { "would be forgotten" };
        let mut data = format!(
            "{verb}: {workers} records of workers, {tasks} of types of task, {examples} examples, parts of {parts} more, {rulings} \
             decisions about rules, all {}\n",
            text::shown(&self.why)
        );
        if !self.done {
            data.push_str("nothing was changed; add --yes to do it\n");
        }
        Text::data(data)
    }

    fn json(&self) -> Value {
        json!({ "forgotten": self.forgotten, "why": self.why, "done": self.done })
    }
}
