//! Files that people write, read into what the engine runs.

#![expect(clippy::unwrap_used, reason = "helpers of tests count as tests")]

mod alma;
mod config;
mod feed;
mod history;
mod lessons;
mod postgres;
mod project_location;
mod task;
mod wire;

use std::fs;
use std::path::Path;

use orch_app::{AppError, Config, ProjectLocation, Trust};

/// Writes files into a folder of their own.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    folder
}

/// Reads the configuration of a folder.
fn load(folder: &Path) -> Result<Config, AppError> {
    Config::load(&ProjectLocation::find(folder, None, None)?.with_trust(Trust::ThisCall, None))
}

/// Reads a configuration that is right.
fn config(text: &str) -> Config {
    load(folder(&[("orch.yaml", text)]).path()).unwrap()
}

/// Reads something that is wrong, and returns what is said, one line per issue.
fn issues<T>(result: Result<T, AppError>) -> Vec<String> {
    match result {
        Err(AppError::Invalid(issues)) => {
            issues.0.iter().map(|issue| issue.message.clone()).collect()
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("nothing is wrong with it"),
    }
}
