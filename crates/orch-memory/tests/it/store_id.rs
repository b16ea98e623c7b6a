//! The id of a store: it has one from the start, keeps it, and takes it along when it is copied.

use std::sync::Arc;

use orch_core::Journal;
use orch_memory::{
    LearnedMemory, OpenError, PostgresJournal, PostgresOptions, SqliteJournal, StoreId,
};

use sqlx::Connection as _;

use crate::support::{TempFile, TestDatabase, execute, open, open_with_id, quick, raw, text};

async fn id_in(file: &TempFile) -> Option<StoreId> {
    SqliteJournal::read_store_id(file).await.unwrap()
}

#[tokio::test]
async fn a_store_keeps_its_id_and_a_copy_has_it_too() {
    let (file, copy) = (TempFile::new(), TempFile::new());
    let journal = open(&file).await;
    let id = journal.store_id();
    assert_eq!(id_in(&file).await, Some(id), "while somebody has it open");
    journal.close().await;
    assert_eq!(open(&file).await.store_id(), id);
    std::fs::create_dir(copy.path().parent().unwrap()).unwrap();
    std::fs::copy(file.path(), copy.path()).unwrap();
    assert_eq!(id_in(&copy).await, Some(id));
    assert_ne!(open(TempFile::new()).await.store_id(), id);
}

/// What is in a folder, and when something was last made or removed in it.
fn folder(file: &TempFile) -> (Vec<String>, std::time::SystemTime) {
    let folder = file.path().parent().unwrap();
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(name).collect();
    names.sort();
    let names = names.into_iter().map(|name| name.into_string().unwrap()).collect();
    (names, folder.metadata().unwrap().modified().unwrap())
}

#[tokio::test]
async fn a_file_of_somebody_else_is_only_read() {
    let file = TempFile::new();
    std::fs::create_dir(file.path().parent().unwrap()).unwrap();
    let mut conn = raw(&file).await;
    execute(&mut conn, "PRAGMA journal_mode = WAL; CREATE TABLE notes (text TEXT)").await;
    conn.close().await.unwrap();
    let before = (folder(&file), std::fs::read(file.path()).unwrap());
    assert_eq!(id_in(&file).await, None);
    assert_eq!((folder(&file), std::fs::read(file.path()).unwrap()), before);
}

/// What version 1 has left in a file: the table of its migrations.
fn early(table: &str, last: u32) -> String {
    format!(
        "CREATE TABLE {table} (version BIGINT PRIMARY KEY, description TEXT NOT NULL, \
         installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, \
         checksum BLOB NOT NULL, execution_time BIGINT NOT NULL); \
         INSERT INTO {table} VALUES ({last}, 'journal', CURRENT_TIMESTAMP, true, x'00', 0)"
    )
}

#[tokio::test]
async fn a_store_of_an_early_version_is_refused_and_left_as_it_is() {
    for last in [1, 2] {
        let file = TempFile::new();
        std::fs::create_dir(file.path().parent().unwrap()).unwrap();
        execute(&mut raw(&file).await, early("_orch_migrations", last)).await;
        for options in [quick(), quick().with_read_only(true)] {
            let error = SqliteJournal::open(&file, options).await.unwrap_err();
            assert!(matches!(error, OpenError::Outdated { .. }), "{error:?}");
            assert!(error.to_string().contains("move it away"), "{error}");
        }
        let tables = "SELECT group_concat(name) FROM sqlite_master WHERE type = 'table'";
        assert_eq!(text(&mut raw(&file).await, tables).await, "_orch_migrations");
    }
}

#[tokio::test]
async fn a_memory_of_an_early_version_is_refused() {
    let file = TempFile::new();
    let journal: Arc<dyn Journal> = Arc::new(open(&file).await);
    execute(&mut raw(&file).await, early("_orch_memory_migrations", 1)).await;
    for options in [quick(), quick().with_read_only(true)] {
        let opened = LearnedMemory::sqlite(file.path(), &options, journal.clone()).await;
        assert!(matches!(opened, Err(OpenError::Outdated { .. })), "{:?}", opened.err());
    }
}

#[tokio::test]
async fn a_database_keeps_its_id() {
    let Some(database) = TestDatabase::create() else { return };
    let (journal, id) = open_with_id(&database.url()).await;
    journal.close().await;
    assert_eq!(open_with_id(&database.url()).await.1, id);
    let reading = PostgresOptions::new().with_read_only(true);
    let reader = PostgresJournal::open(&database.url(), reading).await.unwrap();
    assert_eq!(reader.store_id(), id);
}

#[tokio::test]
async fn only_a_store_has_an_id() {
    let file = TempFile::new();
    let read = || SqliteJournal::read_store_id(&file);
    let error = read().await.unwrap_err();
    assert!(matches!(error, OpenError::Missing { .. }), "{error:?}");
    assert!(!file.path().parent().unwrap().exists(), "reading creates nothing");
    std::fs::create_dir(file.path().parent().unwrap()).unwrap();
    std::fs::write(file.path(), "a text, and long enough to be looked at. ".repeat(99)).unwrap();
    let error = read().await.unwrap_err();
    assert!(matches!(error, OpenError::NotADatabase { .. }), "{error:?}");
    std::fs::remove_file(file.path()).unwrap();
    execute(&mut raw(&file).await, "CREATE TABLE memories (id TEXT)").await;
    assert_eq!(id_in(&file).await, None);
    let damaged = "CREATE TABLE orch_store (id TEXT); INSERT INTO orch_store VALUES ('../x')";
    execute(&mut raw(&file).await, damaged).await;
    let error = read().await.unwrap_err();
    assert!(matches!(error, OpenError::Store { .. }), "{error:?}");
}
