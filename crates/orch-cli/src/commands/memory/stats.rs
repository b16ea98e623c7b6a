//! `orch memory stats` and `vacuum`.

use orch_memory::MemoryStats;
use serde_json::{Value, json};

use super::Opened;
use crate::error::CliError;
use crate::report::{Report, Text};

pub(super) async fn run(opened: &Opened) -> Result<Box<dyn Report>, CliError> {
    Ok(Box::new(Stats(opened.memory.stats(&opened.project).await?)))
}

struct Stats(MemoryStats);

impl Report for Stats {
    fn text(&self) -> Text {
        let stats = &self.0;
        Text::data(format!(
            "project {}\n{} outcomes of {} workers at {} types of subtask\n{} rules, {} examples\n\
             {} runs of all projects were learned from\n",
            stats.project,
            stats.outcomes,
            stats.workers,
            stats.task_types,
            stats.rules,
            stats.examples,
            stats.runs_of_all_projects
        ))
    }

    fn json(&self) -> Value {
        json!(self.0)
    }
}

pub(super) async fn vacuum(opened: &Opened) -> Result<Box<dyn Report>, CliError> {
    opened.memory.vacuum().await?;
    Ok(Box::new(Vacuumed))
}

struct Vacuumed;

impl Report for Vacuumed {
    fn text(&self) -> Text {
        Text { remarks: "done\n".to_owned(), ..Text::default() }
    }

    fn json(&self) -> Value {
        json!({ "vacuumed": true })
    }
}
