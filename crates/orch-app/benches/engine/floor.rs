//! The least that could do the same work: without durability a tokio task per subtask; with it, two rows changed per
//! subtask (started, done), each in a transaction of its own, on one connection.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor};
use tokio::task::JoinSet;

use crate::figure::{Count, Figure, Outcome, Shape, Stopwatch, Store, Used};

pub(crate) async fn measure(figure: Figure, path: &Path, count: Count<'_>) -> Outcome<Used> {
    let synchronous = match figure.store {
        Store::Memory => return join_set(figure, count).await,
        Store::SqliteNormal => SqliteSynchronous::Normal,
        Store::SqliteFull => SqliteSynchronous::Full,
    };
    let mut conn = open(path, synchronous).await?;
    let stopwatch = Stopwatch::start(count);
    for i in 0..i64::try_from(figure.n)? {
        sqlx::query("INSERT INTO s VALUES (?, 'running', NULL)").bind(i).execute(&mut conn).await?;
        sqlx::query("UPDATE s SET state = 'done', out = '1' WHERE i = ?")
            .bind(i)
            .execute(&mut conn)
            .await?;
    }
    let used = stopwatch.stop();
    conn.close().await?;
    Ok(used)
}

async fn open(path: &Path, synchronous: SqliteSynchronous) -> Outcome<SqliteConnection> {
    let mut conn = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .disable_statement_logging()
        .connect()
        .await?;
    conn.execute("CREATE TABLE s (i INTEGER PRIMARY KEY, state TEXT, out TEXT)").await?;
    Ok(conn)
}

async fn join_set(figure: Figure, count: Count<'_>) -> Outcome<Used> {
    let n = figure.n;
    // Whatever the runtime makes at first use is not counted.
    tokio::spawn(async {}).await?;
    let stopwatch = Stopwatch::start(count);
    let (sum, expected) = match figure.shape {
        Shape::Fan => {
            let mut set = JoinSet::new();
            for i in 0..n {
                set.spawn(async move { i });
            }
            (set.join_all().await.into_iter().sum::<usize>(), n * (n - 1) / 2)
        }
        Shape::Chain => {
            let mut sum = 0;
            for _ in 0..n {
                sum = tokio::spawn(async move { sum + 1 }).await?;
            }
            (sum, n)
        }
    };
    let used = stopwatch.stop();
    if sum == expected { Ok(used) } else { Err(format!("the sum is {sum}, not {expected}").into()) }
}
