//! Where a task is written: what `TASK` on the command line means.

use std::path::{Path, PathBuf};

use orch_core::nearest;

use crate::error::CliError;

/// The formats of task files, by the ends of their names.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];
/// The most files of a folder that are compared with a name that is not there.
const MAX_COMPARED: usize = 1_000;

/// Where a task is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TaskSource {
    File(PathBuf),
    Stdin,
    /// The task itself.
    Sentence(String),
}

impl TaskSource {
    /// Says what an argument means: a file when it names one, stdin when it is `-`, a sentence when it has blanks in it. Anything
    /// else is a mistake: a mistyped name must not be given to workers as a task.
    pub(crate) fn find(argument: &str) -> Result<Self, CliError> {
        let name = argument.trim();
        let path = Path::new(argument);
        if name.is_empty() {
            return Err(empty());
        }
        if name == "-" {
            return Ok(Self::Stdin);
        }
        if path.is_dir() {
            return Err(CliError::Argument(format!(
                "`{name}` is a folder; {}",
                task_file_in(path)
            )));
        }
        if path.exists() {
            return match path.extension() {
                Some(ending) if ending == "toml" => Err(CliError::Argument(format!(
                    "`{name}` is TOML, which is not supported; write the task as YAML or JSON"
                ))),
                Some(_) | None => Ok(Self::File(path.to_owned())),
            };
        }
        if name.contains(char::is_whitespace) {
            return Ok(Self::Sentence(argument.to_owned()));
        }
        Err(no_file(name))
    }

    /// Takes a sentence as it is.
    pub(crate) fn sentence(sentence: String) -> Result<Self, CliError> {
        if sentence.trim().is_empty() { Err(empty()) } else { Ok(Self::Sentence(sentence)) }
    }

    /// Returns the file, beside which a configuration may be.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(file) => Some(file),
            Self::Stdin | Self::Sentence(_) => None,
        }
    }
}

fn empty() -> CliError {
    CliError::Argument(
        "the task is empty; name a task file, or say in a sentence what is to be done".to_owned(),
    )
}

fn no_file(name: &str) -> CliError {
    let path = Path::new(name);
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let near = nearest_file(parent.unwrap_or(Path::new(".")), path);
    let hint = match (near, path.extension()) {
        (Some(near), _) => {
            let near = parent.map_or_else(|| PathBuf::from(&near), |parent| parent.join(&near));
            format!("did you mean `{}`?", near.display())
        }
        (None, Some(ending)) if ending == "toml" => {
            "TOML is not supported: write the task as YAML or JSON".to_owned()
        }
        (None, Some(_) | None) => {
            format!("a task of one word stands behind `--`: orch run -- {name}")
        }
    };
    CliError::Argument(format!("there is no file `{name}`; {hint}"))
}

/// Says which file of a folder is meant as the task.
fn task_file_in(folder: &Path) -> String {
    let names = file_names(folder);
    let is_task = |name: &&String| name.starts_with("task.") && has_known_ending(Path::new(name));
    match names.iter().find(is_task) {
        Some(name) => format!("did you mean `{}`?", folder.join(name).display()),
        None => "name a task file in it".to_owned(),
    }
}

/// Finds the file whose name resembles that of `path`, or is the same but for its ending.
fn nearest_file(folder: &Path, path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let stem = path.file_stem()?.to_str()?;
    let names = file_names(folder);
    let same_stem = |name: &&String| {
        let name = Path::new(name);
        has_known_ending(name) && name.file_stem().is_some_and(|known| known == stem)
    };
    let known = || names.iter().map(String::as_str);
    names
        .iter()
        .find(same_stem)
        .map(String::as_str)
        .or_else(|| nearest(wanted, known().filter(|name| has_known_ending(Path::new(name)))))
        .or_else(|| nearest(wanted, known()))
        .map(str::to_owned)
}

fn has_known_ending(name: &Path) -> bool {
    name.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known))
}

/// Returns the names of files in a folder, sorted; none of a folder that cannot be read.
fn file_names(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let files = entries.filter(|entry| entry.path().is_file());
    let mut names: Vec<String> =
        files.filter_map(|entry| entry.file_name().into_string().ok()).take(MAX_COMPARED).collect();
    names.sort();
    names
}
