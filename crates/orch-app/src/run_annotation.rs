//! What `orch` notes with a run, so that another process finds the same configuration again.

use std::path::PathBuf;

use orch_core::{JsonMap, RunSettings};
use serde::{Deserialize, Serialize};

use crate::config::{Config, ProjectLocation};
use crate::task::{Show, TaskFile};

/// Its key in the annotations of a run.
const KEY: &str = "orch";

/// Where a run came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunAnnotation {
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

impl RunAnnotation {
    /// Makes the annotation of a task that is run with `config`.
    pub fn new(config: &Config, task: &TaskFile) -> Self {
        Self {
            config: config.file.clone(),
            project_dir: Some(config.project_dir.clone()),
            show: task.show.clone(),
        }
    }

    /// Returns the settings with this annotation.
    pub fn in_settings(&self, settings: RunSettings) -> RunSettings {
        // Paths that are no text cannot be noted; the run is then resumed with `--config`.
        let value = serde_json::to_value(self).unwrap_or_default();
        let annotations = JsonMap::from_iter([(KEY.to_owned(), value)]);
        settings.with_annotations(annotations)
    }

    /// Returns the annotation of a run; an empty one when it was submitted by something else.
    pub fn from_settings(settings: &RunSettings) -> Self {
        settings
            .annotations
            .get(KEY)
            .and_then(|value| Self::deserialize(value).ok())
            .unwrap_or_default()
    }

    /// Returns the location that the run was submitted from, or `otherwise` when the annotation does not say.
    pub fn location(&self, otherwise: &ProjectLocation) -> ProjectLocation {
        match &self.project_dir {
            Some(dir) => ProjectLocation::new(dir, self.config.clone())
                .with_home(otherwise.home.clone())
                .with_trust(otherwise.trust, otherwise.state_dir.clone()),
            None => otherwise.clone(),
        }
    }
}
