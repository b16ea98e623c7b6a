//! A file that is no longer where a journal has opened it.

use std::fs;
use std::path::{Path, PathBuf};

use orch_core::Journal;
use orch_core::journal::RunFilter;
use orch_core::testing::SampleRun;
use orch_memory::{SqliteJournal, StoreLost};

use crate::support::{TempFile, assert_sound, load, open, raw};

/// A journal with a run of two events in the WAL file, and where it was before somebody touched it.
async fn in_use() -> (TempFile, SqliteJournal, SampleRun) {
    let (file, run) = (TempFile::new(), SampleRun::new(1));
    let journal = open(&file).await;
    journal.append(run.step(0, 2)).await.unwrap();
    (file, journal, run)
}

fn beside(file: &TempFile, name: &str) -> PathBuf {
    file.path().parent().unwrap().parent().unwrap().join(name)
}

fn folder(file: &TempFile) -> &Path {
    file.path().parent().unwrap()
}

#[tokio::test]
async fn a_file_that_is_where_it_was_is_no_loss() {
    let (file, journal, _) = in_use().await;
    assert_eq!(journal.check_file().await, Ok(()));
    fs::rename(folder(&file), beside(&file, "away")).unwrap();
    fs::rename(beside(&file, "away"), folder(&file)).unwrap();
    assert_eq!(journal.check_file().await, Ok(()), "it has come back");
    let reader = SqliteJournal::open(&file, crate::support::quick().with_read_only(true)).await;
    assert_eq!(reader.unwrap().check_file().await, Ok(()));
}

#[tokio::test]
async fn a_file_that_was_removed_is_noticed_and_still_read_through_what_is_open() {
    let (file, journal, run) = in_use().await;
    fs::remove_dir_all(folder(&file)).unwrap();
    let gone = Err(StoreLost::Gone { path: file.path().to_owned() });
    assert_eq!(journal.check_file().await, gone);
    let rows = journal.rows_of_open_file(RunFilter::new()).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.head.run).collect::<Vec<_>>(), [run.id()]);
    journal.close().await;
    assert!(!file.path().exists(), "closing makes nothing");
}

#[tokio::test]
async fn a_store_that_was_moved_is_whole_where_it_is_now() {
    let (file, journal, run) = in_use().await;
    let away = beside(&file, "away");
    fs::rename(folder(&file), &away).unwrap();
    assert!(matches!(journal.check_file().await, Err(StoreLost::Gone { .. })));
    journal.append(run.step(2, 1)).await.unwrap();
    journal.close().await;
    fs::rename(away.join("orch.db"), away.join("alone.db")).unwrap();
    assert_eq!(load(&open(away.join("alone.db")).await, &run).await.len(), 3);
}

#[tokio::test]
async fn another_store_in_the_place_is_named_and_takes_no_harm() {
    let (file, journal, run) = in_use().await;
    let (other, others) = (TempFile::new(), SampleRun::new(2));
    let stranger = open(&other).await;
    stranger.append(others.step(0, 1)).await.unwrap();
    let ids = (journal.store_id(), stranger.store_id());
    stranger.close().await;
    // Only the file: the WAL file of the old one now lies beside the new one.
    fs::rename(other.path(), file.path()).unwrap();
    let path = file.path().to_owned();
    let lost = Err(StoreLost::Other { path, expected: ids.0, found: ids.1 });
    assert_eq!(journal.check_file().await, lost);
    journal.close().await;
    assert_sound(&mut raw(&file).await).await;
    let stranger = open(&file).await;
    assert_eq!(load(&stranger, &others).await.len(), 1);
    assert_eq!(load(&stranger, &run).await.len(), 0);
}

#[tokio::test]
async fn a_copy_and_a_file_that_is_no_store_are_told_apart() {
    let (file, journal, _) = in_use().await;
    let id = journal.store_id();
    journal.close().await;
    let journal = open(&file).await;
    let copy = beside(&file, "copy.db");
    fs::copy(file.path(), &copy).unwrap();
    fs::rename(&copy, file.path()).unwrap();
    let path = || file.path().to_owned();
    assert_eq!(journal.check_file().await, Err(StoreLost::Copied { path: path(), id }));
    fs::write(&copy, "no store").unwrap();
    fs::rename(&copy, file.path()).unwrap();
    let lost = Err(StoreLost::NoStore { path: path(), expected: id });
    assert_eq!(journal.check_file().await, lost);
}
