//! `store`: where runs are kept.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, de};

use super::postgres::PostgresUrl;

/// Where runs are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Store {
    /// A SQLite file; a relative path starts at the project's folder.
    Sqlite(PathBuf),
    /// A PostgreSQL database.
    Postgres(PostgresUrl),
    /// Something that cannot be used, as it was written without what follows the scheme: a URL may hold a password.
    Unsupported(String),
}

impl Default for Store {
    fn default() -> Self {
        Self::Sqlite(PathBuf::from(".orch/orch.db"))
    }
}

impl Store {
    pub(super) fn fault(&self) -> Option<String> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(url) => url.fault(),
            Self::Unsupported(scheme) => Some(format!(
                "runs cannot be kept in `{scheme}://`; give the path of a SQLite file, sqlite://PATH, or postgres://USER@HOST/DATABASE"
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Store {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let path = match text.split_once("://") {
            Some(("sqlite", path)) => path,
            Some(("postgres" | "postgresql", _)) => {
                return Ok(Self::Postgres(PostgresUrl::new(text)));
            }
            Some((scheme, _)) => return Ok(Self::Unsupported(scheme.to_owned())),
            None if text.starts_with("${") => return Ok(Self::Postgres(PostgresUrl::new(text))),
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
            Self::Postgres(url) => url.fmt(f),
            Self::Unsupported(scheme) => write!(f, "{scheme}://"),
        }
    }
}
