//! Where the project and its configuration are.

use std::path::{Path, PathBuf};

use orch_files::STATE_FOLDER;

use super::{ALMA_BLOCK, ALMA_FILE, FILE_NAME, read_text};
use crate::document::Document;
use crate::error::AppError;
use crate::trust::Trust;

/// The folder of a project's agent files.
const AGENTS_DIR: &str = ".claude/agents";
/// The most entries of the folder of agents that are read.
const MAX_AGENT_ENTRIES: usize = 1_000;

/// Where a project is, and where its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProjectLocation {
    /// The folder of the project, absolute.
    pub project_dir: PathBuf,
    /// The configuration file, absolute.
    pub config: Option<PathBuf>,
    /// The home folder of the user, whose agent files count beside those of the project.
    pub home: Option<PathBuf>,
    /// Whether the user has named the configuration, so that it needs no word of trust.
    pub is_given: bool,
    /// How far the user has vouched for what is found.
    pub trust: Trust,
    /// The folder in which the list of the user's stores is; see [`state_dir`](crate::state_dir).
    pub state_dir: Option<PathBuf>,
}

impl ProjectLocation {
    /// Makes a location that is known, without a home folder and without trust.
    pub fn new(project_dir: impl Into<PathBuf>, config: Option<PathBuf>) -> Self {
        Self {
            project_dir: project_dir.into(),
            config,
            home: None,
            is_given: false,
            trust: Trust::default(),
            state_dir: None,
        }
    }

    /// Sets how far the user has vouched for what is found, and the folder in which the list of their stores is.
    #[must_use]
    pub fn with_trust(mut self, trust: Trust, state_dir: Option<PathBuf>) -> Self {
        self.trust = trust;
        self.state_dir = state_dir;
        self
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
    /// `orchestration`, or a folder `.orch`; else `cwd` itself. The user's home folder and `/` are not the project of what lies in
    /// them: they count when they are `cwd` itself. The configuration is `explicit` when given, else one beside
    /// `task_file`, else that of the project's folder.
    ///
    /// # Errors
    /// When `explicit` does not exist.
    pub fn find(
        cwd: &Path,
        explicit: Option<&Path>,
        task_file: Option<&Path>,
    ) -> Result<Self, AppError> {
        let home = std::env::home_dir().and_then(|home| home.canonicalize().ok());
        let folders =
            cwd.ancestors().filter(|folder| *folder == cwd || !is_shared(folder, home.as_deref()));
        let found = folders.into_iter().find_map(|folder| {
            let config = config_in(folder);
            let is_project = config.is_some() || folder.join(STATE_FOLDER).is_dir();
            is_project.then(|| Self::new(folder, config))
        });
        let mut location = found.unwrap_or_else(|| Self::new(cwd, None));
        if let Some(explicit) = explicit {
            let file = cwd.join(explicit);
            let file = file.canonicalize().map_err(|source| AppError::Read { file, source })?;
            location.config = Some(file);
            location.is_given = true;
        } else if let Some(beside) =
            task_file.and_then(|file| cwd.join(file).parent().and_then(config_in))
        {
            location.config = Some(beside.canonicalize().unwrap_or(beside));
        }
        Ok(location)
    }

    /// Returns the files and folders that were found and say what is done; some may not be there.
    pub(super) fn found(&self) -> Vec<PathBuf> {
        let in_project = [STATE_FOLDER, ".alma", ALMA_FILE, ".claude", AGENTS_DIR];
        let mut found: Vec<PathBuf> =
            in_project.iter().map(|name| self.project_dir.join(name)).collect();
        found.extend(agents_in(&self.project_dir.join(AGENTS_DIR)));
        if let Some(file) = self.config.as_ref().filter(|_| !self.is_given) {
            found.extend(file.parent().map(Path::to_owned));
            found.push(file.clone());
        }
        found
    }

    /// Whether the variables in ALMA's configuration may be read.
    pub(super) fn expands_alma(&self) -> bool {
        let is_alma = |file: &PathBuf| file.ends_with(ALMA_FILE);
        self.trust.uses_found() || self.is_given && self.config.as_ref().is_some_and(is_alma)
    }
}

/// Tells whether a folder holds projects of all kinds and so is none itself. `home` is the home folder, without links.
fn is_shared(folder: &Path, home: Option<&Path>) -> bool {
    folder.parent().is_none() || home.is_some() && folder.canonicalize().ok().as_deref() == home
}

/// Something that has the name but is no file is found, too: loading it says so.
fn config_in(folder: &Path) -> Option<PathBuf> {
    let own = folder.join(FILE_NAME);
    if own.symlink_metadata().is_ok() {
        return Some(own);
    }
    let alma = folder.join(ALMA_FILE);
    has_block(&alma).then_some(alma)
}

/// An `.alma/config.yaml` without our block is none of our business; one that has it and cannot be read is, and is refused
/// when it is loaded.
fn has_block(file: &Path) -> bool {
    let Ok(text) = read_text(file) else { return false };
    match Document::parse(&text, None) {
        Ok(document) => document.root.entries().iter().any(|(key, _)| key.text == ALMA_BLOCK),
        Err(_) => text
            .lines()
            .any(|line| line.strip_prefix(ALMA_BLOCK).is_some_and(|rest| rest.starts_with(':'))),
    }
}
/// Returns what lies in the folder of agents, at any depth; as much of it as is read at most.
fn agents_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if found.len() == MAX_AGENT_ENTRIES {
                return found;
            }
            // Links are not followed: where they lead is checked by who follows them.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found
}
