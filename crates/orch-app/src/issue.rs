//! What is wrong with a file that a person wrote: where, what, and the nearest thing that would be right.

use std::fmt;
use std::path::PathBuf;

use orch_core::{nearest, printable};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Issue {
    /// The file; `None` for something given on the command line.
    pub file: Option<PathBuf>,
    /// Line and column, from 1, where they are known.
    pub at: Option<(u64, u64)>,
    /// The field, dotted, for example `workers.tests.command`; empty for the whole file.
    pub field: String,
    /// What is wrong, in a sentence.
    pub message: String,
}

impl Issue {
    /// Makes an issue of something that was given on the command line.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { file: None, at: None, field: field.into(), message: message.into() }
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}:", printable(&file.display().to_string()))?;
            if let Some((line, column)) = self.at {
                write!(f, "{line}:{column}:")?;
            }
            f.write_str(" ")?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", printable(&self.field))?;
        }
        // It may quote the file, and has one line.
        f.write_str(&printable(&self.message))
    }
}

/// Everything that is wrong, one line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Issues(pub Vec<Issue>);

impl Issues {
    /// Returns `value` when nothing is wrong.
    ///
    /// # Errors
    /// With the issues when there are any.
    pub fn or<T>(issues: Vec<Issue>, value: T) -> Result<T, Self> {
        if issues.is_empty() { Ok(value) } else { Err(Self(issues)) }
    }
}

/// Names the known word that resembles `word`, or all known words when none does.
pub(crate) fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(word, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let known: Vec<&str> = known.into_iter().collect();
            if known.is_empty() {
                "none is known".to_owned()
            } else {
                format!("known: {}", known.join(", "))
            }
        }
    }
}
