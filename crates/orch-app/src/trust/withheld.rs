//! What of a found configuration is not used until the user gives the word, in a sentence.

use super::Trust;
use crate::config::{ALMA_FILE, Config, Store, WorkerConfig};

/// A part of a configuration that a call uses only with the user's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A store that is a server.
    Store,
    /// The server that says how alike texts are.
    Embeddings,
    /// Who is told by HTTP what happens.
    Webhooks,
    /// The workers that are programs.
    Commands,
    /// Variables of the environment in ALMA's configuration.
    AlmaVariables,
}

impl Config {
    /// Tells whether sockets, variables and programs that it names may be used.
    pub fn is_trusted(&self) -> bool {
        self.is_given || self.trust.uses_found()
    }

    /// Returns which of `parts` are configured and not used without the user's word, and what to do, as a sentence without a full
    /// stop; `None` when nothing is withheld.
    pub fn withheld(&self, parts: &[Part]) -> Option<String> {
        let named: Vec<String> =
            parts.iter().filter_map(|part| self.withheld_part(*part)).collect();
        let file = self.file.as_deref().or_else(|| self.alma.as_ref().map(|alma| &*alma.file))?;
        (!named.is_empty()).then(|| {
            format!(
                "{} was found and not named, so orch does not use {}; if you trust this folder, set {}=1 or pass --trust",
                file.display(),
                named.join(", "),
                Trust::VARIABLE
            )
        })
    }

    fn withheld_part(&self, part: Part) -> Option<String> {
        if part == Part::AlmaVariables {
            let has = self.alma.as_ref().is_some_and(|alma| alma.has_unread_variables);
            return has.then(|| format!("the variables in {ALMA_FILE}"));
        }
        if self.is_trusted() {
            return None;
        }
        match part {
            Part::Store => match &self.store {
                Store::Postgres(url) => Some(format!("its store {url}")),
                Store::Sqlite(_) | Store::Unsupported(_) => None,
            },
            Part::Embeddings => {
                self.memory.embeddings.is_some().then(|| "its memory.embeddings".to_owned())
            }
            Part::Webhooks => (!self.webhooks.is_empty()).then(|| "its webhooks".to_owned()),
            Part::Commands => {
                let is_command = |worker: &WorkerConfig| match worker {
                    WorkerConfig::Command(_) => true,
                    WorkerConfig::Pull(_) => false,
                };
                let has = self.workers.iter().any(|(_, worker)| is_command(worker));
                has.then(|| "its workers that are commands".to_owned())
            }
            Part::AlmaVariables => None,
        }
    }
}
