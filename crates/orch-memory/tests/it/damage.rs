//! Files in which something cannot be read: the error says what and why.

use orch_core::journal::{Blob, JournalError, RunFilter};
use orch_core::learned::Priors;
use orch_core::testing::{SampleRun, sample_plan};
use orch_core::{BlobRef, Event, Journal, RequestKey, Seq};
use orch_memory::SqliteJournal;

use crate::support::{TempFile, execute, open, raw, text};

struct Damaged {
    file: TempFile,
    run: SampleRun,
    journal: SqliteJournal,
}

/// A run with two small events and a large one, damaged by `sql`.
async fn damaged(sql: &str) -> Damaged {
    let (file, run) = (TempFile::new(), SampleRun::new(1).with_request_key("key"));
    let journal = open(&file).await;
    let plan = Event::PlanAdopted {
        revision: 1,
        base_seq: Seq(0),
        retire: Vec::new(),
        add: sample_plan(1_000).into(),
        priors: Priors::default(),
    };
    journal.append(run.step(0, 2)).await.unwrap();
    journal.append(run.append(2, vec![plan])).await.unwrap();
    execute(&mut raw(&file).await, sql).await;
    Damaged { file, run, journal }
}

fn check_corrupt(error: JournalError, what: String, reason: &str) {
    let JournalError::Corrupt { what: found, reason: why } = error else {
        panic!("not corrupt: {error:?}");
    };
    assert_eq!(found, what);
    assert!(why.contains(reason), "{why}");
}

#[tokio::test]
async fn unreadable_events_are_named() {
    const CHANGED: &str = "it does not match its digest";
    for (sql, seq, reason) in [
        ("UPDATE orch_events SET body = body || ' ' WHERE seq = 2", 2, CHANGED),
        ("UPDATE orch_events SET body = x'ff00' WHERE seq = 1", 1, CHANGED),
        ("UPDATE orch_events SET version = version + 1 WHERE seq = 2", 2, CHANGED),
        ("UPDATE orch_events SET at = at + 1 WHERE seq = 2", 2, CHANGED),
        ("UPDATE orch_events SET digest = x'00' WHERE seq = 2", 2, CHANGED),
        ("UPDATE orch_events SET blob = 'x' WHERE seq = 3", 3, CHANGED),
        ("UPDATE orch_runs SET digest = 'x'", 3, CHANGED),
        ("DELETE FROM orch_events WHERE seq = 2", 2, "it is missing"),
        ("DELETE FROM orch_events WHERE seq = 3", 3, "it is missing"),
        ("DELETE FROM orch_events", 1, "it is missing"),
        ("DELETE FROM orch_blobs", 3, "is missing"),
    ] {
        let damaged = damaged(sql).await;
        let error = damaged.journal.load(damaged.run.id(), Seq(0)).await.unwrap_err();
        let readable = damaged.journal.load_readable(damaged.run.id(), Seq(0)).await.unwrap();
        let seen: Vec<u64> = readable.events.iter().map(|recorded| recorded.seq.0).collect();
        assert_eq!(seen, (1..seq).collect::<Vec<_>>(), "all before it is shown");
        assert_eq!(readable.broken.unwrap().to_string(), error.to_string());
        check_corrupt(error, format!("event {seq} of run {}", damaged.run.id()), reason);
    }
}

#[tokio::test]
async fn a_damaged_digest_in_the_row_of_a_run_does_not_reach_what_is_appended_later() {
    for digest in ["x", &"0".repeat(64)] {
        let damaged = damaged(&format!("UPDATE orch_runs SET digest = '{digest}'")).await;
        damaged.journal.append(damaged.run.step(3, 1)).await.unwrap();
        assert_eq!(damaged.journal.load(damaged.run.id(), Seq(0)).await.unwrap().len(), 4);
    }
}

#[tokio::test]
async fn what_stands_beside_a_damaged_event_can_still_be_read() {
    let damaged = damaged("UPDATE orch_events SET body = 'no JSON' WHERE seq = 1").await;
    assert_eq!(damaged.journal.load(damaged.run.id(), Seq(1)).await.unwrap().len(), 2);
    let types = "SELECT group_concat(coalesce(type, '?')) FROM orch_events";
    let types = text(&mut raw(&damaged.file).await, types).await;
    assert_eq!(types, "?,concurrency_limit_changed,plan_adopted");
}

#[tokio::test]
async fn blobs_are_checked_against_their_names() {
    let damaged = damaged("UPDATE orch_blobs SET bytes = x'00'").await;
    let hash = text(&mut raw(&damaged.file).await, "SELECT hash FROM orch_blobs").await;
    let name = BlobRef { hash: hash.parse().unwrap(), size: 1 };
    for error in [
        damaged.journal.blob(name).await.unwrap_err(),
        damaged.journal.load(damaged.run.id(), Seq(0)).await.unwrap_err(),
    ] {
        check_corrupt(error, format!("blob {hash}"), "do not match");
    }
    let other = Blob::new(*b"other").name;
    assert!(
        matches!(damaged.journal.blob(other).await, Err(JournalError::NoBlob(name)) if name == other)
    );
}

#[tokio::test]
async fn unreadable_rows_of_runs_are_named() {
    for (sql, reason) in [
        ("UPDATE orch_runs SET phase = 'asleep'", "asleep"),
        ("UPDATE orch_runs SET end_status = 'well'", "well"),
        ("UPDATE orch_runs SET counts = '{'", "EOF"),
        ("UPDATE orch_runs SET created_at = 9223372036854775807", "not in the required range"),
        (
            "INSERT INTO orch_owners VALUES ('o', 'o', 1, 2, 'b', 9223372036854775807);
             UPDATE orch_runs SET owner = 'o'",
            "not in the required range",
        ),
    ] {
        let damaged = damaged(sql).await;
        let what = format!("run {}", damaged.run.id());
        check_corrupt(
            damaged.journal.row(damaged.run.id()).await.unwrap_err(),
            what.clone(),
            reason,
        );
        check_corrupt(damaged.journal.rows(&RunFilter::new()).await.unwrap_err(), what, reason);
    }
    let damaged = damaged("UPDATE orch_runs SET run = 'x'").await;
    let key = RequestKey::new("key");
    let error = damaged.journal.run_of_request(&"p".into(), &key).await.unwrap_err();
    check_corrupt(error, "the run of request `key`".to_owned(), "`x` is no id");
}

#[tokio::test]
async fn a_store_without_its_tables_fails_in_every_method() {
    let damaged = damaged("SELECT 1").await;
    let (journal, run) = (&damaged.journal, damaged.run.id());
    let drop = "DROP TABLE orch_runs; DROP TABLE orch_events; DROP TABLE orch_blobs;
                DROP TABLE orch_owners; DROP TABLE orch_processes";
    execute(&mut raw(&damaged.file).await, drop).await;
    let process = orch_core::journal::ProcessId::new(1, 2, "b");
    let note = orch_core::journal::AttemptProcess::new(run, orch_core::Fence(1), process.clone());
    let time = orch_core::testing::time(1);
    let owner = orch_core::journal::Owner::new("o", "o", process, time);
    let store = |result: Result<(), JournalError>, doing: &str| match result {
        Err(JournalError::Store { doing: found, .. }) => assert_eq!(found, doing),
        other => panic!("{other:?}"),
    };
    store(journal.load(run, Seq(0)).await.map(drop_it), &format!("load run {run}"));
    store(journal.row(run).await.map(drop_it), &format!("read run {run}"));
    store(journal.rows(&RunFilter::new()).await.map(drop_it), "list runs");
    store(journal.heads(&[run]).await.map(drop_it), "read where runs stand");
    let found = journal.run_of_request(&"p".into(), &"k".into()).await;
    store(found.map(drop_it), "look up request `k`");
    let name = Blob::new(*b"x").name;
    store(journal.blob(name).await.map(drop_it), &format!("read blob {}", name.hash));
    store(journal.processes(run).await.map(drop_it), &format!("read the processes of run {run}"));
    store(journal.register(&owner).await, "register o");
    store(journal.release(run, orch_core::Epoch(1)).await, &format!("release run {run}"));
    store(journal.note_process(note).await, &format!("note a process of run {run}"));
    let error = journal.acquire(run, &"o".into(), time, None).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot acquire run {run}"));
    let error = journal.append(damaged.run.step(3, 1)).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot write the journal of run {run}"));
}

fn drop_it<T>(_: T) {}
