//! `orch memory stats` and `vacuum`.

use orch_app::{Config, MemoryStore};
use orch_memory::{LearnedMemory, MemoryStats};
use serde_json::{Value, json};

use super::Opened;
use crate::error::CliError;
use crate::report::{Report, Text};
use crate::text;

pub(super) async fn run(opened: &Opened) -> Result<Box<dyn Report>, CliError> {
    let stats = opened.memory.stats(&opened.project).await?;
    let written = written(&opened.memory).await?;
    Ok(Box::new(Stats { stats, config: opened.config.clone(), written }))
}

/// How much ALMA was told: outcomes, and how many of them it finds.
#[cfg(feature = "alma")]
async fn written(memory: &LearnedMemory) -> Result<Option<(u64, u64)>, CliError> {
    let Some(alma) = memory.alma() else { return Ok(None) };
    Ok(alma.written().await?.map(|written| (written.outcomes, written.vectors)))
}

#[cfg(not(feature = "alma"))]
async fn written(_: &LearnedMemory) -> Result<Option<(u64, u64)>, CliError> {
    Ok(None)
}

struct Stats {
    stats: MemoryStats,
    config: Config,
    written: Option<(u64, u64)>,
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
        let known = match (self.config.alma_read(), self.config.memory_readers()) {
            (None, _) => "workers are not told what it knows".to_owned(),
            (Some(_), 0) => {
                "no worker is told what it knows, as none has `memory_tokens`".to_owned()
            }
            (Some(_), 1) => "1 worker is told what it knows".to_owned(),
            (Some(_), readers) => format!("{readers} workers are told what it knows"),
        };
        let told = match self.written {
            None => "it is not told what they did".to_owned(),
            Some((outcomes, vectors)) if outcomes == vectors => {
                format!("it was told {outcomes} outcomes of theirs")
            }
            Some((outcomes, vectors)) => format!(
                "it was told {outcomes} outcomes of theirs, of which it does not find {} until it has embedded them, as they have no vectors of its provider `{}`",
                outcomes - vectors,
                text::shown(&alma.embedding_provider)
            ),
        };
        format!("ALMA is configured by {}; {known}, {told}\n", text::shown(alma.file.display()))
    }
}

impl Report for Stats {
    fn text(&self) -> Text {
        let stats = &self.stats;
        let all = format!(
            "project {}\nkept in {}\n{} outcomes of {} workers at {} types of subtask\n\
             {} rules, {} examples\n{} runs of all projects were learned from\n",
            text::shown(&stats.project),
            text::shown(self.kept()),
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
            json["alma"]["readers"] = json!(self.config.memory_readers());
            json["alma"]["write"] = json!(self.config.alma_written().is_some());
            let written = self
                .written
                .map(|(outcomes, vectors)| json!({ "outcomes": outcomes, "vectors": vectors }));
            json["alma"]["written"] = json!(written);
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
