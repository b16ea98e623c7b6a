//! Files that go when the test ends, and journals on them.

use std::path::{Path, PathBuf};

use orch_core::journal::Recorded;
use orch_core::testing::SampleRun;
use orch_core::{Event, Journal, Seq};
pub(crate) use orch_memory::testing::TestDatabase;
use orch_memory::{PostgresJournal, PostgresOptions, SqliteJournal, SqliteOptions, Synchronous};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions};
use tempfile::TempDir;

/// The path of a journal in a folder of its own, which does not exist yet.
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

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The path as text.
    pub(crate) fn place(&self) -> &str {
        self.path.to_str().unwrap()
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

pub(crate) async fn open_postgres(database: &TestDatabase) -> PostgresJournal {
    PostgresJournal::open(&database.url(), PostgresOptions::new()).await.unwrap()
}

/// Opens the journal at a path or an address.
pub(crate) async fn open_at(place: &str) -> Box<dyn Journal> {
    if place.contains("://") {
        Box::new(PostgresJournal::open(place, PostgresOptions::new()).await.unwrap())
    } else {
        Box::new(open(place).await)
    }
}

/// A connection beside the journal's own, to look at the file, to lock it or to damage it.
pub(crate) async fn raw(path: impl AsRef<Path>) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.unwrap()
}

pub(crate) async fn execute(conn: &mut SqliteConnection, sql: impl Into<String>) {
    sqlx::raw_sql(AssertSqlSafe(sql.into())).execute(conn).await.unwrap();
}

pub(crate) async fn text(conn: &mut SqliteConnection, sql: impl Into<String>) -> String {
    sqlx::query_scalar(AssertSqlSafe(sql.into())).fetch_one(conn).await.unwrap()
}

pub(crate) async fn assert_sound(conn: &mut SqliteConnection) {
    assert_eq!(text(conn, "PRAGMA integrity_check").await, "ok");
}

pub(crate) async fn load(journal: &dyn Journal, run: &SampleRun) -> Vec<Recorded> {
    journal.load(run.id(), Seq(0)).await.unwrap()
}

/// An event that can be told from others.
pub(crate) fn labelled(label: impl Into<String>) -> Event {
    Event::RunSuspended { reason: label.into() }
}
