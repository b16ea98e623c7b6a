//! What `orch` notes with a run, so that another process finds the same configuration again.

use std::path::PathBuf;

use orch_core::{JsonMap, RunSettings};
use serde::{Deserialize, Serialize};

use crate::config::{Config, Place};
use crate::task::{Show, TaskFile};

/// The key of the note in the annotations of a run.
const KEY: &str = "orch";

/// Where a run came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Note {
    /// The configuration file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<PathBuf>,
    /// The folder of the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_dir: Option<PathBuf>,
    /// What of the output a person wants to see.
    #[serde(default)]
    pub show: Show,
}

impl Note {
    /// Makes the note of a task that is run with `config`.
    pub fn new(config: &Config, task: &TaskFile) -> Self {
        Self {
            config: config.file.clone(),
            project_dir: Some(config.project_dir.clone()),
            show: task.show.clone(),
        }
    }

    /// Returns the settings with this note.
    pub fn in_settings(&self, settings: RunSettings) -> RunSettings {
        // Paths that are no text cannot be noted; the run is then resumed with `--config`.
        let value = serde_json::to_value(self).unwrap_or_default();
        let annotations = JsonMap::from_iter([(KEY.to_owned(), value)]);
        settings.with_annotations(annotations)
    }

    /// Returns the note of a run; an empty one when it was submitted by something else.
    pub fn of(settings: &RunSettings) -> Self {
        settings
            .annotations
            .get(KEY)
            .and_then(|value| Self::deserialize(value).ok())
            .unwrap_or_default()
    }

    /// Returns the place that the run was submitted from, or `otherwise` when the note does not say.
    pub fn place(&self, otherwise: &Place) -> Place {
        match &self.project_dir {
            Some(dir) => Place::new(dir, self.config.clone())
                .with_home(otherwise.home.clone())
                .with_trust(otherwise.trust, otherwise.state_dir.clone()),
            None => otherwise.clone(),
        }
    }
}
