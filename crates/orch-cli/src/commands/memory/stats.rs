//! `orch memory stats` and `vacuum`.

use orch_app::{Config, MemoryStore};
use orch_memory::MemoryStats;
use serde_json::{Value, json};

use super::Opened;
use crate::error::CliError;
use crate::report::{Report, Text};

pub(super) async fn run(opened: &Opened) -> Result<Box<dyn Report>, CliError> {
    let stats = opened.memory.stats(&opened.project).await?;
    Ok(Box::new(Stats { stats, config: opened.config.clone() }))
}

struct Stats {
    stats: MemoryStats,
    config: Config,
}

impl Stats {
    fn kept(&self) -> String {
        let file = self.config.memory_file().map(|file| file.display().to_string());
        let place = file.unwrap_or_else(|| self.config.store.to_string());
        match self.config.memory.store {
            MemoryStore::Orch => place,
            MemoryStore::Alma => place + ", the file of ALMA",
        }
    }
}

impl Report for Stats {
    fn text(&self) -> Text {
        let stats = &self.stats;
        Text::data(format!(
            "project {}\nkept in {}\n{} outcomes of {} workers at {} types of subtask\n\
             {} rules, {} examples\n{} runs of all projects were learned from\n",
            stats.project,
            self.kept(),
            stats.outcomes,
            stats.workers,
            stats.task_types,
            stats.rules,
            stats.examples,
            stats.runs_of_all_projects
        ))
    }

    fn json(&self) -> Value {
        let mut json = json!(self.stats);
        json["file"] = json!(self.config.memory_file());
        json["alma"] = json!(self.config.alma);
        json
    }
}

pub(super) async fn vacuum(opened: &Opened) -> Result<Box<dyn Report>, CliError> {
    if let (MemoryStore::Alma, Some(file)) =
        (opened.config.memory.store, opened.config.memory_file())
    {
        return Err(CliError::SharedFile { file });
    }
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
