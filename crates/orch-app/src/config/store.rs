//! `store`: where runs are kept.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, de};

/// Where runs are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Store {
    /// A SQLite file; a relative path starts at the project's folder.
    Sqlite(PathBuf),
    /// Something that this build cannot use, as it was written without what follows the scheme: a URL may hold a password.
    Unsupported(String),
}

impl Default for Store {
    fn default() -> Self {
        Self::Sqlite(PathBuf::from(".orch/orch.db"))
    }
}

impl Store {
    /// Returns the path of the file within `project_dir`.
    pub(crate) fn path(&self, project_dir: &Path) -> Option<PathBuf> {
        match self {
            Self::Sqlite(path) => Some(project_dir.join(path)),
            Self::Unsupported(_) => None,
        }
    }

    pub(super) fn fault(&self) -> Option<String> {
        match self {
            Self::Sqlite(_) => None,
            Self::Unsupported(scheme) => Some(format!(
                "this build cannot keep runs in `{scheme}://`; give the path of a SQLite file, or sqlite://PATH"
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Store {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let path = match text.split_once("://") {
            Some(("sqlite", path)) => path,
            Some((scheme, _)) => return Ok(Self::Unsupported(scheme.to_owned())),
            None => &text,
        };
        if path.is_empty() {
            return Err(de::Error::custom("names no file"));
        }
        Ok(Self::Sqlite(path.into()))
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Unsupported(scheme) => write!(f, "{scheme}://"),
        }
    }
}
