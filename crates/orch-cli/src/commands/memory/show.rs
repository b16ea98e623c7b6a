//! `orch memory show`: what is known, explained in a sentence each.

use orch_memory::WorkerRecord;
use serde_json::{Value, json};

use super::{Opened, rules};
use crate::error::CliError;
use crate::report::{Report, Text};
use crate::text;

const EXAMPLES: &str = "Examples:
  orch memory show                   every worker at every type of subtask
  orch memory show api_testing       the workers at one type
  orch memory show route_0f3a        a rule, by the beginning of its id, and where it comes from";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Type of subtask, or a rule (id or unique prefix, see `orch memory list`) [default: all workers].
    #[arg(value_name = "WHAT")]
    what: Option<String>,
}

pub(super) async fn run(opened: &Opened, args: &Args) -> Result<Box<dyn Report>, CliError> {
    let mut records = opened.memory.records(&opened.project).await?;
    if let Some(what) = &args.what {
        records.retain(|record| record.task_type == *what);
        if records.is_empty() {
            return rules::show(opened, what).await;
        }
    }
    Ok(Box::new(Records(records)))
}

/// What is known of workers.
struct Records(Vec<WorkerRecord>);

impl Report for Records {
    fn text(&self) -> Text {
        if self.0.is_empty() {
            let notice = "nothing is known yet: it is learned from runs".to_owned();
            return Text { notice, ..Text::default() };
        }
        let sentences =
            self.0.iter().map(|WorkerRecord { task_type, worker, expected, lessons, .. }| {
                let on_one_line = |lesson: &String| {
                    let words: Vec<&str> = lesson.split_whitespace().collect();
                    format!("  - {}\n", text::shown(words.join(" ")))
                };
                let lessons = lessons.iter().map(on_one_line);
                let (worker, task_type) = (text::shown(worker), text::shown(task_type));
                format!("`{worker}` at `{task_type}`: {expected}.\n{}", lessons.collect::<String>())
            });
        Text::data(sentences.collect::<String>())
    }

    fn json(&self) -> Value {
        json!({ "records": self.0 })
    }
}
