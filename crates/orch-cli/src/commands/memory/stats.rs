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

    /// What there is to say of ALMA.
    fn alma(&self) -> String {
        let Some(alma) = &self.config.alma else { return String::new() };
        let known = match self.config.alma_read() {
            Some(_) => "workers are told what it knows",
            None => "workers are not told what it knows",
        };
        format!("ALMA is configured by {}; {known}\n", alma.file.display())
    }
}

impl Report for Stats {
    fn text(&self) -> Text {
        let stats = &self.stats;
        let all = format!(
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
        );
        Text::data(all + &self.alma())
    }

    fn json(&self) -> Value {
        let mut json = json!(self.stats);
        json["file"] = json!(self.config.memory_file());
        json["alma"] = json!(self.config.alma);
        if self.config.alma.is_some() {
            json["alma"]["read"] = json!(self.config.alma_read().is_some());
        }
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
