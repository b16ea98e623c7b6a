//! Where the project and its configuration are.

use std::fs;
use std::path::{Path, PathBuf};

use super::{ALMA_BLOCK, ALMA_FILE, FILE_NAME};
use crate::document::Document;
use crate::error::AppError;

/// The folder in which a project keeps its runs.
const STATE_DIR: &str = ".orch";

/// Where a project is, and where its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The folder of the project, absolute.
    pub project_dir: PathBuf,
    /// The configuration file, absolute.
    pub config: Option<PathBuf>,
    /// The home folder of the user, whose agent files count beside those of the project.
    pub home: Option<PathBuf>,
}

impl Place {
    /// Makes a place that is known, without a home folder.
    pub fn new(project_dir: impl Into<PathBuf>, config: Option<PathBuf>) -> Self {
        Self { project_dir: project_dir.into(), config, home: None }
    }

    /// Sets the home folder of the user.
    #[must_use]
    pub fn with_home(mut self, home: Option<PathBuf>) -> Self {
        self.home = home;
        self
    }

    /// Finds the project of the folder `cwd`, and the configuration.
    ///
    /// The project's folder is the nearest, from `cwd` upwards, with an `orch.yaml`, an `.alma/config.yaml` that has the block
    /// `orchestration`, or a folder `.orch`; else `cwd` itself. The configuration is `explicit` when given, else one beside
    /// `task_file`, else that of the project's folder.
    ///
    /// # Errors
    /// When `explicit` does not exist.
    pub fn find(
        cwd: &Path,
        explicit: Option<&Path>,
        task_file: Option<&Path>,
    ) -> Result<Self, AppError> {
        let found = cwd.ancestors().find_map(|folder| {
            let config = config_in(folder);
            (config.is_some() || folder.join(STATE_DIR).is_dir()).then(|| Self::new(folder, config))
        });
        let mut place = found.unwrap_or_else(|| Self::new(cwd, None));
        if let Some(explicit) = explicit {
            let file = cwd.join(explicit);
            let file = file.canonicalize().map_err(|source| AppError::Read { file, source })?;
            place.config = Some(file);
        } else if let Some(beside) =
            task_file.and_then(|file| cwd.join(file).parent().and_then(config_in))
        {
            place.config = Some(beside.canonicalize().unwrap_or(beside));
        }
        Ok(place)
    }
}

fn config_in(folder: &Path) -> Option<PathBuf> {
    let own = folder.join(FILE_NAME);
    if own.is_file() {
        return Some(own);
    }
    let alma = folder.join(ALMA_FILE);
    has_block(&alma).then_some(alma)
}

/// An `.alma/config.yaml` without our block is none of our business; one that has it and cannot be read is, and is refused
/// when it is loaded.
fn has_block(file: &Path) -> bool {
    let Ok(text) = fs::read_to_string(file) else { return false };
    match Document::parse(&text, None) {
        Ok(document) => document.root.entries().iter().any(|(key, _)| key.text == ALMA_BLOCK),
        Err(_) => text
            .lines()
            .any(|line| line.strip_prefix(ALMA_BLOCK).is_some_and(|rest| rest.starts_with(':'))),
    }
}
