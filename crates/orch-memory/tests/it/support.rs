//! Files that go when the test ends, and journals on them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_core::journal::Recorded;
use orch_core::testing::SampleRun;
use orch_core::{Event, Journal, Seq};
pub(crate) use orch_memory::testing::TestDatabase;
use orch_memory::{
    LearnedMemory, PostgresJournal, PostgresOptions, SqliteJournal, SqliteOptions, StoreId,
    Synchronous,
};
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
    open_with_id(place).await.0
}

/// Opens the journal at a path or an address, and returns the id of its store, too.
pub(crate) async fn open_with_id(place: &str) -> (Box<dyn Journal>, StoreId) {
    if place.contains("://") {
        let journal = PostgresJournal::open(place, PostgresOptions::new()).await.unwrap();
        let id = journal.store_id();
        (Box::new(journal), id)
    } else {
        let journal = open(place).await;
        let id = journal.store_id();
        (Box::new(journal), id)
    }
}

/// Opens the memory at a path or an address.
pub(crate) async fn memory_at(place: &str, journal: &Arc<dyn Journal>) -> LearnedMemory {
    let journal = journal.clone();
    if place.contains("://") {
        LearnedMemory::postgres(place, &PostgresOptions::new(), journal).await.unwrap()
    } else {
        LearnedMemory::sqlite(place, &quick(), journal).await.unwrap()
    }
}

/// Where a memory is; it goes with the handle.
pub(crate) enum Home {
    File(TempFile),
    Database(TestDatabase),
}

impl Home {
    pub(crate) fn place(&self) -> String {
        match self {
            Self::File(file) => file.place().to_owned(),
            Self::Database(database) => database.url(),
        }
    }

    pub(crate) async fn memory(&self, journal: &Arc<dyn Journal>) -> LearnedMemory {
        memory_at(&self.place(), journal).await
    }
}

/// Which of the two.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    /// Makes a new home; `None`, and why on stderr, when there is no server.
    pub(crate) fn try_home(self) -> Option<Home> {
        match self {
            Self::Sqlite => Some(Home::File(TempFile::new())),
            Self::Postgres => TestDatabase::create().map(Home::Database),
        }
    }

    /// Makes a new home of a kind of which there was one before.
    pub(crate) fn home(self) -> Home {
        self.try_home().unwrap()
    }
}

/// Runs each test on both databases.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            use crate::support::Kind;
            $(#[tokio::test]
            async fn $test() {
                super::$test(Kind::Sqlite).await;
            })*
        }
        mod postgres {
            use crate::support::Kind;
            $(#[tokio::test]
            async fn $test() {
                if Kind::Postgres.try_home().is_some() {
                    super::$test(Kind::Postgres).await;
                }
            })*
        }
    };
}
pub(crate) use on_both;

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
