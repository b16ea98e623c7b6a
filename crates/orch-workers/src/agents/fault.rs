//! What can be wrong with an agent file.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why an agent file is no agent.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AgentFault {
    /// It cannot be read, or it is no UTF-8.
    #[error("cannot be read")]
    Read(#[source] io::Error),
    /// It is a pipe, a device or something else that is no file.
    #[error("is not a regular file")]
    NotRegular,
    /// It is larger than an agent file may be.
    #[error("is larger than {limit} bytes")]
    TooLarge {
        /// The most bytes.
        limit: u64,
    },
    /// It is a link to a file or folder of somebody else.
    #[error("is a link to something of another user; copy it, or link to a file of your own")]
    ForeignLink,
    /// It is a link to a folder in which the project lies.
    #[error("leads to a folder that holds the project; link to a folder of agent files")]
    LinkUpwards,
    /// The folder has too much in it; none of its agents count.
    #[error("has more than {limit} entries, with its folders; keep agent files only in it")]
    TooMany {
        /// The most entries.
        limit: usize,
    },
    /// It does not begin with a line `---`.
    #[error("does not begin with front matter: its first line must be `---`")]
    NoFrontMatter,
    /// Its front matter has no closing line `---`.
    #[error("has front matter without an end: close it by a line `---`")]
    Unclosed,
    /// A field that must be there is not, or is blank.
    #[error("has no `{field}`")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// The name is not one that coding agents take.
    #[error(
        "has the name `{name}`; a name is at most {} lowercase letters, digits and hyphens",
        orch_core::MAX_NAME_LENGTH
    )]
    BadName {
        /// The name.
        name: String,
    },
    /// A field holds something of another kind.
    #[error("`{field}` must be {expected}")]
    BadField {
        /// The field, dotted.
        field: String,
        /// What it may be.
        expected: &'static str,
    },
    /// The scope is none of a worker.
    #[error("`x-orch.scope` cannot be used: {reason}")]
    BadScope {
        /// What is wrong with it.
        reason: String,
    },
    /// Under `x-orch` there is a key that orch does not know.
    #[error("`x-orch` has no `{key}`; {}", hint(.nearest.as_deref()))]
    UnknownExtra {
        /// The key.
        key: String,
        /// The key that may have been meant.
        nearest: Option<&'static str>,
    },
    /// Another file of the same folder has the same name.
    #[error("has the name `{name}`, as has {}, which counts", .first.display())]
    Repeated {
        /// The name.
        name: String,
        /// The file that counts.
        first: PathBuf,
    },
}

fn hint(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("it has: {}", super::file::EXTRAS.join(", ")),
    }
}

/// What is wrong with one agent file, and where; the file is skipped.
#[derive(Debug, Error)]
#[non_exhaustive]
pub struct AgentIssue {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    #[source]
    pub fault: AgentFault,
}

impl fmt::Display for AgentIssue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.fault)
    }
}
