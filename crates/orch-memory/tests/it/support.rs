//! Files that go when the test ends, and journals on them.

use std::path::{Path, PathBuf};

use orch_memory::{SqliteJournal, SqliteOptions, Synchronous};
use tempfile::TempDir;

/// The path of a journal in a folder of its own.
pub(crate) struct TempFile {
    _folder: TempDir,
    path: PathBuf,
}

impl TempFile {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".orch/orch.db");
        Self { _folder: folder, path }
    }
}

impl AsRef<Path> for TempFile {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

/// Options for tests that are not about the power failing.
pub(crate) fn quick() -> SqliteOptions {
    SqliteOptions::new().with_synchronous(Synchronous::Normal)
}

pub(crate) async fn open(path: impl AsRef<Path>) -> SqliteJournal {
    SqliteJournal::open(path, quick()).await.unwrap()
}
