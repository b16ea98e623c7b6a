//! The writer: group commit, failures, blobs, and what others see of it.

use std::time::Duration;

use futures_util::future::{join, join_all};
use orch_core::journal::{AppendError, Blob, JournalError};
use orch_core::learned::Priors;
use orch_core::testing::{SampleRun, sample_plan, time, within_a_minute};
use orch_core::{Event, Journal, Seq};
use orch_memory::SqliteJournal;

use crate::support::{TempFile, assert_sound, execute, labelled, load, open, quick, raw, text};

/// Counts the commits in a write-ahead log: frames that name the size of the file after them.
fn commits(file: &TempFile) -> usize {
    let log = std::fs::read(file.path().with_extension("db-wal")).unwrap();
    let word = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
    let (page, salt) = (word(8) as usize, word(16));
    (32..log.len())
        .step_by(24 + page)
        .take_while(|frame| word(frame + 8) == salt)
        .filter(|frame| word(frame + 4) != 0)
        .count()
}

#[tokio::test]
async fn appends_that_gather_share_a_commit_and_one_that_is_refused_harms_no_other() {
    let file = TempFile::new();
    let journal = open(&file).await;
    let runs: Vec<SampleRun> = (0..100).map(SampleRun::new).collect();
    let before = commits(&file);
    let mut busy = raw(&file).await;
    execute(&mut busy, "BEGIN IMMEDIATE").await;
    // Number 50 thinks that its run has events; the file is free once all wait.
    let appends = runs.iter().enumerate().map(|(n, run)| {
        let expected = if n == 50 { 7 } else { 0 };
        journal.append(run.step(expected, 2))
    });
    let (appended, ()) = join(join_all(appends), execute(&mut busy, "ROLLBACK")).await;
    for (n, result) in appended.iter().enumerate() {
        match result {
            Ok(()) => assert_ne!(n, 50),
            Err(AppendError::Conflict { run, expected: Seq(7), actual: Seq(0) }) => {
                assert_eq!((n, *run), (50, runs[50].id()));
            }
            Err(other) => panic!("append {n}: {other:?}"),
        }
    }
    let shared = commits(&file) - before;
    assert!(shared <= 3, "99 appends in {shared} commits");
}

#[tokio::test]
async fn several_appends_of_one_run_follow_each_other_within_a_commit() {
    let (file, run) = (TempFile::new(), SampleRun::new(1));
    let journal = open(&file).await;
    let appends = (0..20).map(|n| journal.append(run.step(n, 1)));
    assert!(join_all(appends).await.iter().all(Result::is_ok));
    assert_eq!(load(&journal, &run).await.len(), 20);
}

#[tokio::test]
async fn batches_of_every_size_are_written_whole() {
    let file = TempFile::new();
    let journal = open(&file).await;
    for count in [1, 2, 4, 5, 16, 17, 64, 65, 255, 256, 257, 260, 511, 513, 1_024, 2_500] {
        let run = SampleRun::new(count);
        journal.append(run.step(0, count)).await.unwrap();
        assert_eq!(load(&journal, &run).await, run.step(0, count).events.to_vec());
    }
}

#[tokio::test]
async fn a_failed_transaction_fails_all_in_it_and_the_next_one_works() {
    let file = TempFile::new();
    let options = quick().with_busy_timeout(Duration::from_millis(20));
    let journal = SqliteJournal::open(&file, options).await.unwrap();
    let runs: Vec<SampleRun> = (1..=5).map(SampleRun::new).collect();
    let mut busy = raw(&file).await;
    execute(&mut busy, "BEGIN IMMEDIATE").await;
    for result in join_all(runs.iter().map(|run| journal.append(run.step(0, 1)))).await {
        assert!(matches!(result, Err(AppendError::Store { .. })), "{result:?}");
    }
    execute(&mut busy, "ROLLBACK").await;
    for run in &runs {
        assert_eq!(load(&journal, run).await, []);
        journal.append(run.step(0, 1)).await.unwrap();
    }
    // While the connection was gone, somebody may have written: better one look too many.
    within_a_minute("foreign_change", journal.foreign_change()).await.unwrap();
}

#[tokio::test]
async fn a_write_that_fails_half_way_leaves_nothing() {
    let (file, run) = (TempFile::new(), SampleRun::new(1));
    let journal = open(&file).await;
    let mut other = raw(&file).await;
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON orch_events WHEN NEW.seq = 2
                  BEGIN SELECT raise(ABORT, 'no'); END";
    execute(&mut other, refuse).await;
    let error = journal.append(run.step(0, 3)).await.unwrap_err();
    assert!(matches!(error, AppendError::Store { .. }), "{error:?}");
    assert_eq!(journal.row(run.id()).await.unwrap(), None);
    execute(&mut other, "DROP TRIGGER refuse").await;
    journal.append(run.step(0, 3)).await.unwrap();
}

#[tokio::test]
async fn a_file_that_was_taken_away_is_not_made_again() {
    let (file, run) = (TempFile::new(), SampleRun::new(1));
    let journal = open(&file).await;
    execute(&mut raw(&file).await, "DROP TABLE orch_runs").await;
    assert!(journal.append(run.step(0, 1)).await.is_err());
    std::fs::remove_dir_all(file.path().parent().unwrap()).unwrap();
    assert!(journal.append(run.step(0, 1)).await.is_err());
    assert!(journal.foreign_change().await.is_err());
    assert!(!file.path().exists());
}

#[tokio::test]
async fn misnumbered_events_are_refused_before_they_reach_the_file() {
    let (file, run) = (TempFile::new(), SampleRun::new(1));
    let journal = open(&file).await;
    let mut append = run.step(0, 3);
    append.expected = Seq(1);
    let AppendError::Store { source, .. } = journal.append(append).await.unwrap_err() else {
        panic!("nothing is known of it");
    };
    assert_eq!(source.to_string(), "event 1 stands where 2 was expected");
    assert_eq!(journal.row(run.id()).await.unwrap(), None);
}

#[tokio::test]
async fn an_append_without_events_is_checked_and_writes_nothing() {
    let (file, run) = (TempFile::new(), SampleRun::new(1));
    let journal = open(&file).await;
    journal.append(run.step(0, 0)).await.unwrap();
    assert_eq!(journal.row(run.id()).await.unwrap(), None);
    let error = journal.append(run.step(1, 0)).await.unwrap_err();
    assert!(matches!(error, AppendError::Conflict { .. }), "{error:?}");
}

#[tokio::test]
async fn large_events_are_kept_as_blobs() {
    let (file, run) = (TempFile::new(), SampleRun::new(1));
    let journal = open(&file).await;
    let small = labelled("x".repeat(16 * 1_024 - 50));
    let large = labelled("y".repeat(16 * 1_024));
    let plan = Event::PlanAdopted {
        revision: 1,
        base_seq: Seq(0),
        retire: Vec::new(),
        add: sample_plan(20_000).into(),
        priors: Priors::default(),
    };
    let append = run.append(0, vec![small, large, plan]);
    journal.append(append.clone()).await.unwrap();
    assert_eq!(load(&journal, &run).await, append.events.to_vec());
    let mut file = raw(&file).await;
    let rows = "SELECT group_concat(seq || ' ' || type || ' ' || (blob IS NULL)) FROM orch_events";
    let rows = text(&mut file, rows).await;
    assert_eq!(rows, "1 run_suspended 1,2 run_suspended 0,3 plan_adopted 0");
    assert_eq!(
        text(&mut file, "SELECT (max(length(body)) / 16384) || '' FROM orch_events").await,
        "0"
    );
    let pieces = "SELECT count(DISTINCT hash) || ' ' || max(length(bytes)) || ' ' || (max(piece) > 2) FROM orch_blobs";
    assert_eq!(text(&mut file, pieces).await, "2 1048576 1");
}

/// Bytes that differ from piece to piece.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n / 1_000 % 251) as u8).collect()
}

#[tokio::test]
async fn blobs_of_every_size_are_kept_once() {
    const PIECE: usize = 1 << 20;
    let (file, run) = (TempFile::new(), SampleRun::new(1));
    let journal = open(&file).await;
    let blobs: Vec<Blob> = [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 5]
        .into_iter()
        .map(|length| Blob::new(bytes(length)))
        .collect();
    let mut expected = 0;
    for blob in &blobs {
        journal.append(run.step(expected, 1).with_blobs(vec![blob.clone()])).await.unwrap();
        expected += 1;
    }
    journal.append(run.step(expected, 1).with_blobs(blobs.clone())).await.unwrap();
    for blob in &blobs {
        assert_eq!(journal.blob(blob.name).await.unwrap(), blob.bytes.to_vec());
    }
    let count = text(&mut raw(&file).await, "SELECT count(*) || '' FROM orch_blobs").await;
    assert_eq!(count, "10", "1 + 1 + 1 + 1 + 2 + 4 pieces");
}

#[tokio::test]
async fn a_blob_whose_writer_died_half_way_is_completed() {
    let (file, run) = (TempFile::new(), SampleRun::new(1));
    let journal = open(&file).await;
    let blob = Blob::new(bytes((1 << 21) + 9));
    journal.append(run.step(0, 1).with_blobs(vec![blob.clone()])).await.unwrap();
    let mut other = raw(&file).await;
    execute(&mut other, "DELETE FROM orch_blobs WHERE piece < 2").await;
    let error = journal.blob(blob.name).await.unwrap_err();
    assert!(matches!(error, JournalError::Corrupt { .. }), "{error:?}");
    journal.append(run.step(1, 1).with_blobs(vec![blob.clone()])).await.unwrap();
    assert_eq!(journal.blob(blob.name).await.unwrap(), blob.bytes.to_vec());
    assert_sound(&mut other).await;
}

#[tokio::test]
async fn own_commits_wake_nobody() {
    let (file, run) = (TempFile::new(), SampleRun::new(1));
    let (mine, other) = (open(&file).await, open(&file).await);
    for expected in 0..10 {
        mine.append(run.step(expected, 1)).await.unwrap();
    }
    // Long enough for several looks.
    let quiet = tokio::time::timeout(Duration::from_millis(200), mine.foreign_change()).await;
    assert!(quiet.is_err(), "an own commit counted as foreign");
    within_a_minute("foreign_change", other.foreign_change()).await.unwrap();
    other.append(run.step(10, 1)).await.unwrap();
    within_a_minute("foreign_change", mine.foreign_change()).await.unwrap();
}

#[tokio::test]
async fn times_are_kept_to_the_microsecond() {
    let (file, run) = (TempFile::new(), SampleRun::new(1));
    let journal = open(&file).await;
    let mut append = run.step(0, 1);
    let mut event = append.events[0].clone();
    event.at = time(1).checked_add(jiff::SignedDuration::from_nanos(999)).unwrap();
    append.events = [event].into();
    journal.append(append).await.unwrap();
    assert_eq!(load(&journal, &run).await[0].at, time(1));
}
