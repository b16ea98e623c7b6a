//! The PostgreSQL journal against a real server: opening, writing, hearing of others.

use futures_util::FutureExt;
use futures_util::future::join_all;
use orch_core::journal::{AppendError, Blob, RunFilter};
use orch_core::testing::{SampleRun, within_a_minute};
use orch_core::{Journal, LockName};
use orch_memory::{PostgresError, PostgresJournal, PostgresOptions};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};

use crate::support::{TestDatabase, load, open_postgres};

async fn raw(database: &TestDatabase) -> PgConnection {
    PgConnection::connect(&database.url()).await.unwrap()
}

async fn execute(conn: &mut PgConnection, sql: impl Into<String>) {
    conn.execute(AssertSqlSafe(sql.into())).await.unwrap();
}

async fn number(conn: &mut PgConnection, sql: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(conn).await.unwrap()
}

async fn refused(url: &str, options: PostgresOptions) -> PostgresError {
    PostgresJournal::open(url, options).await.unwrap_err()
}

fn reading() -> PostgresOptions {
    PostgresOptions::new().with_read_only(true)
}

#[tokio::test]
async fn addresses_that_mean_nothing_are_refused() {
    for url in ["nonsense", "postgres://u@h:port/d", "postgres://[::/d", ""] {
        let error = refused(url, PostgresOptions::new()).await;
        assert!(matches!(error, PostgresError::Url { .. }), "{url}: {error:?}");
    }
    let error = refused("postgres://h/d?sslmode=require&pasword=x", PostgresOptions::new()).await;
    assert_eq!(error.to_string(), "the URL of the database has an unknown parameter `pasword`");
    let error = refused("postgres://u:secret@127.0.0.1:1/d", PostgresOptions::new()).await;
    assert_eq!(error.to_string(), "cannot connect to postgres://u@127.0.0.1:1/d");
    assert!(!format!("{error:?}").contains("secret"));
}

#[tokio::test]
async fn who_only_reads_makes_nothing_and_writes_nothing() {
    let Some(database) = TestDatabase::create() else { return };
    let error = refused(&database.url(), reading()).await;
    assert!(matches!(error, PostgresError::Missing { .. }), "{error:?}");
    let (writer, run) = (open_postgres(&database).await, SampleRun::new(1));
    writer.append(run.step(0, 2)).await.unwrap();
    let reader = PostgresJournal::open(&database.url(), reading()).await.unwrap();
    assert_eq!(load(&reader, &run).await.len(), 2);
    let error = reader.append(run.step(2, 1)).await.unwrap_err();
    assert!(matches!(error, AppendError::Store { .. }), "{error:?}");
    assert_eq!(load(&writer, &run).await.len(), 2);
    within_a_minute("a reader hears of changes", async {
        reader.foreign_change().await.unwrap();
        writer.append(run.step(2, 1)).await.unwrap();
        reader.foreign_change().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn tables_of_other_versions_are_refused() {
    let Some(database) = TestDatabase::create() else { return };
    open_postgres(&database).await.close().await;
    let mut conn = raw(&database).await;
    let known = number(&mut conn, "SELECT max(version) FROM _orch_migrations").await;
    execute(&mut conn, "UPDATE _orch_migrations SET version = version - 1000").await;
    for options in [PostgresOptions::new(), reading()] {
        let error = refused(&database.url(), options).await;
        assert!(matches!(error, PostgresError::Outdated { .. }), "{error:?}");
        assert!(error.to_string().contains("move them away"), "{error}");
    }
    execute(&mut conn, "UPDATE _orch_migrations SET version = version + 2000").await;
    for options in [PostgresOptions::new(), reading()] {
        let error = refused(&database.url(), options).await;
        let newer = matches!(error, PostgresError::Newer { version, known: ours, .. } if version > ours && ours == known);
        assert!(newer, "{error:?}");
    }
}

#[tokio::test]
async fn other_tenants_of_the_database_are_left_alone() {
    let Some(database) = TestDatabase::create() else { return };
    let mut conn = raw(&database).await;
    execute(&mut conn, "CREATE TABLE _sqlx_migrations (x INT); CREATE TABLE runs (y INT)").await;
    open_postgres(&database).await.close().await;
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND \
                  tablename NOT LIKE 'orch\\_%' AND tablename <> '_orch_migrations'";
    assert_eq!(number(&mut conn, tables).await, 2);
}

#[tokio::test]
async fn close_writes_what_waits() {
    let Some(database) = TestDatabase::create() else { return };
    let journal = open_postgres(&database).await;
    journal.foreign_change().await.unwrap();
    let runs: Vec<SampleRun> = (1..=50).map(SampleRun::new).collect();
    let appends = runs.iter().map(|run| journal.append(run.step(0, 2)));
    let (appended, ()) = tokio::join!(biased; join_all(appends), journal.close());
    assert!(appended.iter().all(Result::is_ok), "{appended:?}");
    journal.close().await;
    let AppendError::Store { source, .. } = journal.append(runs[0].step(2, 1)).await.unwrap_err()
    else {
        panic!("a closed journal cannot know anything");
    };
    assert_eq!(source.to_string(), "the journal is closed");
    assert!(journal.rows(&RunFilter::new()).await.is_err());
    assert!(journal.foreign_change().await.is_err());
    let mut conn = raw(&database).await;
    assert_eq!(number(&mut conn, "SELECT count(*) FROM orch_events").await, 100);
}

#[tokio::test]
async fn appends_that_gather_share_a_commit_and_one_that_is_refused_harms_no_other() {
    let Some(database) = TestDatabase::create() else { return };
    let journal = open_postgres(&database).await;
    let runs: Vec<SampleRun> = (0..100).map(SampleRun::new).collect();
    let mut busy = raw(&database).await;
    execute(&mut busy, "BEGIN; LOCK TABLE orch_runs IN EXCLUSIVE MODE").await;
    // Number 50 thinks that its run has events; the table is free once all wait.
    let appends = runs.iter().enumerate().map(|(n, run)| {
        let expected = if n == 50 { 7 } else { 0 };
        journal.append(run.step(expected, 2))
    });
    let (appended, ()) = tokio::join!(biased; join_all(appends), execute(&mut busy, "ROLLBACK"));
    for (n, result) in appended.iter().enumerate() {
        match result {
            Ok(()) => assert_ne!(n, 50),
            Err(AppendError::Conflict { .. }) => assert_eq!(n, 50),
            Err(other) => panic!("append {n}: {other:?}"),
        }
    }
    let commits = "SELECT count(DISTINCT xmin::text) FROM orch_events";
    assert!(number(&mut busy, commits).await <= 3, "99 appends share few commits");
}

#[tokio::test]
async fn an_append_that_cannot_be_stored_takes_no_other_with_it() {
    let Some(database) = TestDatabase::create() else { return };
    let journal = open_postgres(&database).await;
    let runs: Vec<SampleRun> = (0..20).map(SampleRun::new).collect();
    let appends = runs.iter().enumerate().map(|(n, run)| {
        let mut append = run.step(0, 2);
        if n == 7 {
            // PostgreSQL has no text with a NUL.
            let mut head = (*append.head).clone();
            head.description = "a\0b".to_owned();
            append.head = head.into();
        }
        journal.append(append)
    });
    for (n, result) in join_all(appends).await.iter().enumerate() {
        assert_eq!(result.is_ok(), n != 7, "append {n}: {result:?}");
    }
    assert_eq!(load(&journal, &runs[7]).await, []);
    assert_eq!(load(&journal, &runs[8]).await.len(), 2);
}

#[tokio::test]
async fn a_blob_whose_writer_died_half_way_is_completed() {
    let Some(database) = TestDatabase::create() else { return };
    let (journal, run) = (open_postgres(&database).await, SampleRun::new(1));
    let blob = Blob::new((0..2_500_000).map(|i| (i % 251) as u8).collect::<Vec<_>>());
    journal.append(run.step(0, 1).with_blobs(vec![blob.clone()])).await.unwrap();
    execute(&mut raw(&database).await, "DELETE FROM orch_blobs WHERE piece < 2").await;
    assert!(journal.blob(blob.name).await.is_err(), "a half is not the whole");
    journal.append(run.step(1, 1).with_blobs(vec![blob.clone()])).await.unwrap();
    assert!(journal.blob(blob.name).await.unwrap() == *blob.bytes);
}

/// Two writers that want the same locks in different orders never wait in a circle.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_that_want_the_same_locks_never_deadlock() {
    const ROUNDS: u64 = 30;
    let Some(database) = TestDatabase::create() else { return };
    let writers = [open_postgres(&database).await, open_postgres(&database).await];
    let work = (0..32_u32).map(|number| {
        let (run, journal) = (SampleRun::new(number), &writers[number as usize % 2]);
        async move {
            let mut seq = 0;
            let mut held: Vec<LockName> = Vec::new();
            for round in 0..ROUNDS {
                let lock =
                    |from, n| LockName::new(format!("lock-{}", (number * 7 + from + n * 5) % 11));
                let locks = |from: u32| (0..3_u32).map(|n| lock(from, n)).collect::<Vec<_>>();
                let take = locks(u32::try_from(round).unwrap());
                let append = run.step(seq, 1).with_free(held.clone()).with_take(take.clone());
                match journal.append(append).await {
                    Ok(()) => (seq, held) = (seq + 1, take),
                    Err(AppendError::LockHeld { .. }) => {
                        let append = run.step(seq, 1).with_free(std::mem::take(&mut held));
                        journal.append(append).await.unwrap();
                        seq += 1;
                    }
                    Err(other) => panic!("{other:?}"),
                }
            }
        }
    });
    join_all(work).await;
    let mut conn = raw(&database).await;
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(number(&mut conn, deadlocks).await, 0);
}

/// Ends all connections to the database but this one.
async fn cut(conn: &mut PgConnection) {
    execute(
        conn,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .await;
}

#[tokio::test]
async fn lost_connections_are_made_again() {
    let Some(database) = TestDatabase::create() else { return };
    let (first, second) = (open_postgres(&database).await, open_postgres(&database).await);
    let run = SampleRun::new(1);
    first.append(run.step(0, 1)).await.unwrap();
    second.foreign_change().await.unwrap();
    let mut conn = raw(&database).await;
    within_a_minute("both go on", async {
        for _ in 0..3 {
            cut(&mut conn).await;
            // The first append finds the connection dead, and cannot know whether it was written.
            let mut seq = first.load(run.id(), orch_core::Seq(0)).await.unwrap().len() as u64;
            while first.append(run.step(seq, 1)).await.is_err() {
                seq = first.load(run.id(), orch_core::Seq(0)).await.unwrap().len() as u64;
            }
            while second.heads(&[run.id()]).await.unwrap()[0].1.0 < seq + 1 {
                second.foreign_change().await.unwrap();
            }
        }
    })
    .await;
}

#[tokio::test]
async fn own_appends_wake_nobody_but_others() {
    let Some(database) = TestDatabase::create() else { return };
    let (first, second) = (open_postgres(&database).await, open_postgres(&database).await);
    within_a_minute("the second hears", async {
        first.foreign_change().await.unwrap();
        second.foreign_change().await.unwrap();
        for number in 1..=5 {
            first.append(SampleRun::new(number).step(0, 1)).await.unwrap();
            second.foreign_change().await.unwrap();
        }
    })
    .await;
    assert!(first.foreign_change().now_or_never().is_none(), "its own appends are no news");
}
