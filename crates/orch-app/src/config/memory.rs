//! `memory`: where what was learned is kept, and what ALMA has to do with it.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::alma::{Alma, AlmaStorage};
use super::{ALMA_FILE, Embeddings, Store};

/// How what was learned is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct MemoryConfig {
    /// Where it is kept.
    pub store: MemoryStore,
    /// Who says how alike texts are; without it, hashed n-grams do.
    pub embeddings: Option<Embeddings>,
    /// What is taken from ALMA and given to it.
    #[serde(deserialize_with = "super::word::map")]
    pub alma: AlmaUse,
}

/// What is taken from ALMA and given to it, where the project has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct AlmaUse {
    /// Whether workers are told what ALMA knows; they are unless it is `false`.
    pub read: Option<bool>,
    /// Whether ALMA is told what workers did.
    pub write: bool,
}

/// Where what was learned is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryStore {
    /// Where the runs are.
    #[default]
    Orch,
    /// In tables of its own in ALMA's SQLite file.
    Alma,
}

impl MemoryConfig {
    /// Whether it can only be used with ALMA's configuration.
    pub(super) fn needs_alma(&self) -> bool {
        self.store == MemoryStore::Alma || self.alma.write
    }

    /// Returns the fields that are wrong, and what is wrong with them; not when ALMA's configuration cannot be read.
    pub(super) fn faults(&self, alma: Option<&Alma>) -> Vec<(&'static [&'static str], String)> {
        let (in_its_file, written) = (self.store == MemoryStore::Alma, self.alma.write);
        let mut faults = Vec::new();
        if let Some(message) = self.embeddings.as_ref().and_then(Embeddings::fault) {
            faults.push((EMBEDDINGS, message));
        }
        if let Some(why) = no_sqlite(alma) {
            let message = format!("{why}; this needs `storage: sqlite` in {ALMA_FILE}");
            faults.extend(in_its_file.then(|| (STORE, message.clone())));
            faults.extend(written.then_some((WRITE, message)));
        }
        if !cfg!(feature = "alma") {
            let message = "this build cannot; build it with the feature `alma`".to_owned();
            faults.extend((self.alma.read == Some(true)).then(|| (READ, message.clone())));
            faults.extend(written.then_some((WRITE, message)));
        }
        faults
    }

    /// Whether what is learned is kept in ALMA's file.
    pub(crate) fn is_in_alma(&self) -> bool {
        matches!(self.store, MemoryStore::Alma)
    }

    /// Returns the SQLite file in which it is kept; `None` when it is kept in another database.
    pub(super) fn file(
        &self,
        project_dir: &Path,
        store: &Store,
        alma: Option<&Alma>,
    ) -> Option<PathBuf> {
        match (self.store, store) {
            (MemoryStore::Alma, _) => match &alma?.storage {
                AlmaStorage::Sqlite(file) => Some(file.clone()),
                AlmaStorage::Files(_) | AlmaStorage::Elsewhere(_) => None,
            },
            (MemoryStore::Orch, Store::Sqlite(path)) => Some(project_dir.join(path)),
            (MemoryStore::Orch, Store::Postgres(_) | Store::Unsupported(_)) => None,
        }
    }
}

/// Fields, by their places in the file.
const EMBEDDINGS: &[&str] = &["memory", "embeddings"];
const STORE: &[&str] = &["memory", "store"];
const READ: &[&str] = &["memory", "alma", "read"];
const WRITE: &[&str] = &["memory", "alma", "write"];

/// Returns why there is no SQLite file of ALMA, if there is none.
fn no_sqlite(alma: Option<&Alma>) -> Option<String> {
    match alma.map(|alma| &alma.storage) {
        Some(AlmaStorage::Sqlite(_)) => None,
        Some(AlmaStorage::Files(_)) => Some("ALMA keeps its memory in JSON files here".to_owned()),
        Some(AlmaStorage::Elsewhere(storage)) => {
            Some(format!("ALMA keeps its memory in `{storage}` here"))
        }
        None => Some(format!("the project has no {ALMA_FILE}")),
    }
}
