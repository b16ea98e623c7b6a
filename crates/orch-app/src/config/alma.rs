//! `.alma/config.yaml`: what ALMA, a memory that the project may have, is told. Only what matters here is read, and as ALMA
//! reads it; all else is ALMA's business.

use std::cell::Cell;
use std::env;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{ALMA_FILE, FILE_NAME, read_text};
use crate::document::{Document, Kind, Node, Step};
use crate::issue::Issue;

/// ALMA's configuration of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Alma {
    /// The file that it was read from.
    pub file: PathBuf,
    /// The project as ALMA calls it, where it is told.
    pub project_id: Option<String>,
    /// Where ALMA keeps its memory.
    pub storage: AlmaStorage,
    /// What makes its vectors.
    pub embedding_provider: String,
    /// How long they are, where that is a number.
    pub embedding_dim: Option<u32>,
    /// Whether it has variables that were left as they are written, as the user has not vouched for it.
    #[serde(skip)]
    pub(crate) has_unread_variables: bool,
}

/// Where ALMA keeps its memory. A relative path starts at the project's folder, where ALMA is started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlmaStorage {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A folder of JSON files.
    Files(PathBuf),
    /// Something that is not used from here, by ALMA's name for it.
    Elsewhere(String),
}

/// The project of an ALMA that is told none.
#[cfg(feature = "alma")]
const DEFAULT_PROJECT: &str = "default";

impl Alma {
    /// Returns ALMA's memory, to be read and to be written; `None` when it is not to be used, or cannot be from here.
    #[cfg(feature = "alma")]
    pub(crate) fn memory(&self, read: bool, write: bool) -> Option<orch_memory::Alma> {
        if !read && !write {
            return None;
        }
        let project_id = self.project_id.as_deref().unwrap_or(DEFAULT_PROJECT);
        match &self.storage {
            AlmaStorage::Sqlite(file) => {
                let alma = orch_memory::Alma::sqlite(file, project_id).with_reading(read);
                let dimension = self.embedding_dim.filter(|_| self.embedding_provider == "mock");
                Some(if write { alma.with_writing(dimension) } else { alma })
            }
            AlmaStorage::Files(folder) => Some(orch_memory::Alma::files(folder, project_id)),
            AlmaStorage::Elsewhere(_) => None,
        }
    }

    /// Reads the configuration of a project; `None` when there is none. Variables are filled in only when `expands`.
    pub(super) fn read(project_dir: &Path, expands: bool) -> Result<Option<Self>, Issue> {
        let file = project_dir.join(ALMA_FILE);
        let text = match read_text(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(&file, None, &error.to_string())),
        };
        let document = Document::parse(&text, Some(&file)).map_err(|mut issues| {
            let first = issues.0.swap_remove(0);
            unreadable(&file, first.at, &first.message)
        })?;
        let section = document.root.get(&[Step::Key("alma".to_owned())]).unwrap_or(&document.root);
        if !matches!(section.kind, Kind::Map(_)) {
            return Err(unreadable(&file, Some(section.at), "is not a map of settings"));
        }
        let has_unread_variables = Cell::new(false);
        let variable = |name: &str| {
            has_unread_variables.set(!expands);
            expands.then(|| env::var(name).ok()).flatten()
        };
        let word = |key: &str| word(section, key, variable);
        let folder = project_dir.join(word("storage_dir").unwrap_or_else(|| ".alma".to_owned()));
        let storage = match word("storage").as_deref() {
            Some("sqlite") => {
                let name = word("db_name").unwrap_or_else(|| "alma.db".to_owned());
                AlmaStorage::Sqlite(folder.join(name))
            }
            Some(name @ ("postgres" | "azure")) => AlmaStorage::Elsewhere(name.to_owned()),
            // Whatever else it says, ALMA takes it for `file`.
            Some(_) | None => AlmaStorage::Files(folder),
        };
        let dimension = word("embedding_dim").map_or(Some(384), |text| text.parse().ok());
        Ok(Some(Self {
            project_id: word("project_id"),
            storage,
            embedding_provider: word("embedding_provider").unwrap_or_else(|| "local".to_owned()),
            embedding_dim: dimension,
            has_unread_variables: has_unread_variables.get(),
            file,
        }))
    }
}

fn unreadable(file: &Path, at: Option<(u64, u64)>, why: &str) -> Issue {
    let message = format!(
        "ALMA's configuration cannot be read: {why}; repair it, or do without it, with `project` and without `memory` in {FILE_NAME}"
    );
    Issue { file: Some(file.to_owned()), at, field: String::new(), message }
}

/// Returns a setting as text, with the environment's values in it.
fn word(section: &Node, key: &str, env: impl Fn(&str) -> Option<String>) -> Option<String> {
    let node = section.get(&[Step::Key(key.to_owned())])?;
    match &node.kind {
        Kind::Text(text) => Some(expand(text, env)),
        Kind::Number(number) => Some(number.to_string()),
        Kind::Bool(_) | Kind::Null | Kind::List(_) | Kind::Map(_) => None,
    }
}

/// Puts in the values of variables, `${NAME}`; one that has none stays as it is written.
fn expand(text: &str, env: impl Fn(&str) -> Option<String>) -> String {
    let (mut expanded, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("${")
        && let Some((name, after)) = after.split_once('}')
    {
        expanded.push_str(before);
        expanded.push_str(&env(name).unwrap_or_else(|| format!("${{{name}}}")));
        rest = after;
    }
    expanded + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in_as_alma_does() {
        let env = |name: &str| (name == "HERE").then(|| "shop".to_owned());
        for (text, expected) in [
            ("plain", "plain"),
            ("${HERE}", "shop"),
            ("a/${HERE}/${HERE}.db", "a/shop/shop.db"),
            ("${GONE}-${HERE}", "${GONE}-shop"),
            ("${KEYVAULT:x}", "${KEYVAULT:x}"),
            ("${HERE", "${HERE"),
            ("$HERE {HERE}", "$HERE {HERE}"),
        ] {
            assert_eq!(expand(text, env), expected, "{text}");
        }
    }
}
