//! The id of a store: it has one from the start, keeps it, and takes it along when it is copied.

use orch_core::Journal;
use orch_core::journal::RunFilter;
use orch_memory::{OpenError, PostgresJournal, PostgresOptions, SqliteJournal, StoreId};
use sqlx::{Connection, Executor};

use crate::support::{TempFile, TestDatabase, execute, open, open_with_id, quick, raw};

/// What an older version of orch has left: the tables of version 1.
const AS_OLD: &str = "DROP TABLE orch_store; DELETE FROM _orch_migrations WHERE version = 2";

async fn id_in(file: &TempFile) -> Option<StoreId> {
    SqliteJournal::read_store_id(file).await.unwrap()
}

#[tokio::test]
async fn a_store_keeps_its_id_and_a_copy_has_it_too() {
    let (file, copy) = (TempFile::new(), TempFile::new());
    let journal = open(&file).await;
    let id = journal.store_id();
    assert_eq!(id_in(&file).await, id, "while somebody has it open");
    journal.close().await;
    assert_eq!(open(&file).await.store_id(), id);
    std::fs::create_dir(copy.path().parent().unwrap()).unwrap();
    std::fs::copy(file.path(), copy.path()).unwrap();
    assert_eq!(id_in(&copy).await, id);
    assert_ne!(open(TempFile::new()).await.store_id(), id);
}

#[tokio::test]
async fn a_store_of_an_older_version_is_read_as_it_is_and_gets_its_id_when_it_is_written() {
    let file = TempFile::new();
    open(&file).await.close().await;
    execute(&mut raw(&file).await, AS_OLD).await;
    let reading = quick().with_read_only(true);
    let reader = SqliteJournal::open(&file, reading.clone()).await.unwrap();
    assert_eq!(reader.rows(&RunFilter::new()).await.unwrap(), []);
    assert_eq!((reader.store_id(), id_in(&file).await), (None, None));
    let id = open(&file).await.store_id();
    assert!(id.is_some());
    assert_eq!(SqliteJournal::open(&file, reading).await.unwrap().store_id(), id);
}

#[tokio::test]
async fn a_database_of_an_older_version_is_read_as_it_is_and_gets_its_id_when_it_is_written() {
    let Some(database) = TestDatabase::create() else { return };
    open_with_id(&database.url()).await.0.close().await;
    let mut conn = sqlx::PgConnection::connect(&database.url()).await.unwrap();
    conn.execute(AS_OLD).await.unwrap();
    let reading = || PostgresOptions::new().with_read_only(true);
    let reader = PostgresJournal::open(&database.url(), reading()).await.unwrap();
    assert_eq!(reader.rows(&RunFilter::new()).await.unwrap(), []);
    assert_eq!(reader.store_id(), None);
    let (_, id) = open_with_id(&database.url()).await;
    assert!(id.is_some());
    assert_eq!(open_with_id(&database.url()).await.1, id);
    let reader = PostgresJournal::open(&database.url(), reading()).await.unwrap();
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
