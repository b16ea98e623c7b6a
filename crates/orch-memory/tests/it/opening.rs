//! Opening files, and the errors when they cannot be opened.

use std::time::Duration;

use orch_core::Journal;
use orch_core::journal::{AppendError, RunFilter};
use orch_core::testing::SampleRun;
use orch_memory::{OpenError, SqliteJournal, SqliteOptions, Synchronous};

use crate::support::{TempFile, assert_sound, execute, load, open, quick, raw, text};

async fn refused(path: impl AsRef<std::path::Path>, options: SqliteOptions) -> OpenError {
    SqliteJournal::open(path, options).await.unwrap_err()
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_drop() {
    let (file, run) = (TempFile::new(), SampleRun::new(1));
    let journal = open(&file).await;
    journal.append(run.step(0, 3)).await.unwrap();
    drop(journal);
    let journal = open(&file).await;
    let events = load(&journal, &run).await;
    assert_eq!(events, run.step(0, 3).events.to_vec());
    journal.append(run.step(3, 1)).await.unwrap();
    assert_eq!(load(&journal, &run).await.len(), 4);
}

#[tokio::test]
async fn close_writes_what_waits_and_leaves_one_sound_file() {
    let file = TempFile::new();
    let journal = open(&file).await;
    let runs: Vec<SampleRun> = (1..=50).map(SampleRun::new).collect();
    let appends = runs.iter().map(|run| journal.append(run.step(0, 2)));
    let (appended, ()) =
        tokio::join!(biased; futures_util::future::join_all(appends), journal.close());
    assert!(appended.iter().all(Result::is_ok), "{appended:?}");
    assert!(!file.path().with_extension("db-wal").exists());
    journal.close().await;
    let AppendError::Store { source, .. } = journal.append(runs[0].step(2, 1)).await.unwrap_err()
    else {
        panic!("a closed journal cannot know anything");
    };
    assert_eq!(source.to_string(), "the journal is closed");
    assert!(journal.rows(&RunFilter::new()).await.is_err());
    assert!(journal.foreign_change().await.is_err());
    let mut file = raw(&file).await;
    assert_sound(&mut file).await;
    assert_eq!(text(&mut file, "SELECT count(*) || '' FROM orch_events").await, "100");
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_folder_is_for_this_user_only() {
    use std::os::unix::fs::PermissionsExt;

    let file = TempFile::new();
    open(&file).await;
    let folder = file.path().parent().unwrap();
    assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn a_bare_name_needs_no_folder() {
    // The only test that asks for a file in the working folder, and it asks for one that cannot be made.
    let error = refused("\0", quick()).await;
    assert!(matches!(error, OpenError::Store { .. }), "{error:?}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let file = TempFile::new();
    std::fs::write(file.path().parent().unwrap(), "a file where the folder should be").unwrap();
    let error = refused(&file, quick()).await;
    assert!(matches!(error, OpenError::Folder { .. }), "{error:?}");
    assert!(error.to_string().ends_with("/.orch"), "{error}");
}

#[tokio::test]
async fn other_files_and_folders_are_refused() {
    let file = TempFile::new();
    std::fs::create_dir_all(file.path()).unwrap();
    let error = refused(&file, quick()).await;
    assert!(matches!(error, OpenError::Store { .. }), "{error:?}");
    std::fs::remove_dir(file.path()).unwrap();
    std::fs::write(file.path(), "This is a text, and long enough to be looked at. ".repeat(99))
        .unwrap();
    for options in [quick(), quick().with_read_only(true)] {
        let error = refused(&file, options).await;
        assert!(matches!(error, OpenError::NotADatabase { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn tables_of_a_later_version_are_refused() {
    let file = TempFile::new();
    open(&file).await.close().await;
    let insert =
        "INSERT INTO _orch_migrations (version, description, success, checksum, execution_time)
                  VALUES (99, 'later', true, x'00', 0)";
    execute(&mut raw(&file).await, insert).await;
    for options in [quick(), quick().with_read_only(true)] {
        let error = refused(&file, options).await;
        assert!(matches!(error, OpenError::Newer { version: 99, known: 3, .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_migration_that_was_changed_afterwards_is_refused() {
    let file = TempFile::new();
    open(&file).await.close().await;
    execute(&mut raw(&file).await, "UPDATE _orch_migrations SET checksum = x'00'").await;
    let error = refused(&file, quick()).await;
    assert!(matches!(error, OpenError::Outdated { .. }), "{error:?}");
}

#[tokio::test]
async fn a_half_done_migration_of_ours_leaves_nothing() {
    let file = TempFile::new();
    std::fs::create_dir_all(file.path().parent().unwrap()).unwrap();
    let mut other = raw(&file).await;
    execute(&mut other, "CREATE TABLE orch_owners (of_somebody_else TEXT)").await;
    let error = refused(&file, quick()).await;
    assert!(matches!(error, OpenError::Store { .. }), "{error:?}");
    let tables = "SELECT group_concat(name) FROM sqlite_master WHERE type = 'table'";
    assert_eq!(text(&mut other, tables).await, "orch_owners");
}

#[tokio::test]
async fn other_tenants_of_the_file_are_left_alone() {
    let file = TempFile::new();
    std::fs::create_dir_all(file.path().parent().unwrap()).unwrap();
    let mut other = raw(&file).await;
    execute(
        &mut other,
        "CREATE TABLE memories (id TEXT); CREATE TABLE _sqlx_migrations (version INTEGER);
         INSERT INTO memories VALUES ('m'); INSERT INTO _sqlx_migrations VALUES (20200101)",
    )
    .await;
    let (journal, run) = (open(&file).await, SampleRun::new(1));
    journal.append(run.step(0, 1)).await.unwrap();
    assert_eq!(text(&mut other, "SELECT id FROM memories").await, "m");
    assert_eq!(text(&mut other, "SELECT version || '' FROM _sqlx_migrations").await, "20200101");
    let names = "SELECT count(*) || '' FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'orch\\_%' ESCAPE '\\'";
    assert_eq!(text(&mut other, names).await, "3", "ours beside the tables of others");
}

#[tokio::test]
async fn who_only_reads_creates_nothing() {
    let file = TempFile::new();
    let error = refused(&file, quick().with_read_only(true)).await;
    assert!(matches!(error, OpenError::Missing { .. }), "{error:?}");
    assert!(!file.path().parent().unwrap().exists());
    std::fs::create_dir_all(file.path().parent().unwrap()).unwrap();
    execute(&mut raw(&file).await, "CREATE TABLE memories (id TEXT)").await;
    let error = refused(&file, quick().with_read_only(true)).await;
    assert!(matches!(error, OpenError::Older { .. }), "{error:?}");
}

#[tokio::test]
async fn who_only_reads_waits_for_no_writer_and_sees_its_commits() {
    let (file, run) = (TempFile::new(), SampleRun::new(1));
    let writer = open(&file).await;
    writer.append(run.step(0, 2)).await.unwrap();
    let mut busy = raw(&file).await;
    execute(&mut busy, "BEGIN IMMEDIATE; DELETE FROM orch_events").await;
    let reader = SqliteJournal::open(&file, quick().with_read_only(true)).await.unwrap();
    assert_eq!(load(&reader, &run).await.len(), 2);
    assert_eq!(reader.rows(&RunFilter::new()).await.unwrap().len(), 1);
    execute(&mut busy, "ROLLBACK").await;
    writer.append(run.step(2, 1)).await.unwrap();
    reader.foreign_change().await.unwrap();
    assert_eq!(load(&reader, &run).await.len(), 3);
    let error = reader.append(run.step(3, 1)).await.unwrap_err();
    assert!(matches!(error, AppendError::Store { .. }), "{error:?}");
    assert_eq!(load(&writer, &run).await.len(), 3);
}

#[tokio::test]
async fn who_cannot_get_the_file_in_time_is_told_so() {
    let file = TempFile::new();
    std::fs::create_dir_all(file.path().parent().unwrap()).unwrap();
    let mut busy = raw(&file).await;
    execute(&mut busy, "BEGIN EXCLUSIVE").await;
    let error = refused(&file, quick().with_busy_timeout(Duration::from_millis(20))).await;
    assert!(matches!(error, OpenError::Busy { .. }), "{error:?}");
    execute(&mut busy, "ROLLBACK").await;
    open(&file).await;
}

#[tokio::test]
async fn options_reach_sqlite() {
    assert_eq!(SqliteOptions::new(), SqliteOptions::default());
    assert_eq!(SqliteOptions::new().synchronous, Synchronous::Full);
    let file = TempFile::new();
    let journal = SqliteJournal::open(&file, SqliteOptions::new().with_readers(0)).await.unwrap();
    assert_eq!(journal.rows(&RunFilter::new()).await.unwrap(), []);
    assert_eq!(text(&mut raw(&file).await, "PRAGMA journal_mode").await, "wal");
}
