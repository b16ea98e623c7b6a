//! What an event costs in the SQLite journal, beside bare sqlx in the same run: `cargo bench -p orch-memory`.
//!
//! Three statements write the same rows to the same table, and the journal itself does it with all its checks, the row of
//! the run and the encoding. Each figure is the best of several rounds, in microseconds per event, one transaction per batch.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints, and stops when something fails"
)]

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use orch_core::testing::{SampleRun, sample_events};
use orch_core::{Event, Fence, Journal, ResultSource, Seq, SubtaskIndex, Token, WorkerName};
use orch_memory::{SqliteJournal, SqliteOptions, Synchronous};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions};

const BATCHES: [usize; 4] = [1, 10, 100, 1_000];
const ROUNDS: usize = 5;
/// Events per round, at least one batch.
const EVENTS: usize = 3_000;

/// How bare sqlx writes a batch.
#[derive(Clone, Copy)]
enum Bare {
    /// One execution per event.
    Each,
    /// One statement with a row of parameters per event.
    Values,
    /// One statement over a JSON array of all events.
    Json,
}

#[tokio::main]
async fn main() {
    for synchronous in [Synchronous::Normal, Synchronous::Full] {
        println!(
            "\nsynchronous = {synchronous:?}; us per event, bodies of {} bytes on average",
            mean_body()
        );
        println!(
            "{:>6} {:>12} {:>12} {:>12} {:>12}",
            "batch", "sqlx each", "sqlx json", "sqlx values", "journal"
        );
        for batch in BATCHES {
            let mut line = format!("{batch:>6}");
            for bare in [Bare::Each, Bare::Json, Bare::Values] {
                write!(line, " {:>12.2}", bare_sqlx(bare, batch, synchronous).await).unwrap();
            }
            println!("{line} {:>12.2}", journal(batch, synchronous).await);
        }
        println!(
            "64 runs at once, 3 events per append: {:.2} us per event",
            many_runs(synchronous).await
        );
    }
    println!("\nloading: {:.2} us per event", loading().await);
}

/// What a subtask leaves in the journal when all goes well.
fn event(number: usize) -> Event {
    let subtask = SubtaskIndex(u32::try_from(number / 3).unwrap());
    let fence = Fence((number / 3) as u64);
    match number % 3 {
        0 => Event::AttemptStarted {
            subtask,
            fence,
            token: Token(0x0123_4567_89ab_cdef),
            worker: WorkerName::new("worker-1"),
            card: None,
            claimed: false,
            until: orch_core::testing::time(1),
            reserved_micro_usd: None,
            request_key: None,
            route: None,
        },
        1 => sample_events()
            .into_iter()
            .find(|event| matches!(event, Event::ResultReceived { .. }))
            .unwrap(),
        _ => Event::SubtaskCompleted { subtask, source: ResultSource::Attempt { fence } },
    }
}

fn mean_body() -> usize {
    (0..3).map(|n| serde_json::to_string(&event(n)).unwrap().len()).sum::<usize>() / 3
}

/// Returns the best of several rounds of `work`, which returns the events that it wrote and the time that it took.
async fn best<F: Future<Output = (usize, Duration)>>(work: impl Fn() -> F) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let (events, time) = work().await;
        best = best.min(time.as_secs_f64() * 1e6 / events as f64);
    }
    best
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn now() -> Instant {
    Instant::now()
}

async fn open(path: &Path, synchronous: Synchronous) -> SqliteJournal {
    SqliteJournal::open(path, SqliteOptions::new().with_synchronous(synchronous)).await.unwrap()
}

async fn journal(batch: usize, synchronous: Synchronous) -> f64 {
    best(async || {
        let folder = tempfile::tempdir().unwrap();
        let journal = open(&folder.path().join("orch.db"), synchronous).await;
        let run = SampleRun::new(1);
        let events: Vec<Event> = (0..batch).map(event).collect();
        let mut appends = Vec::new();
        while appends.len() * batch < EVENTS {
            appends.push(run.append((appends.len() * batch) as u64, events.clone()));
        }
        let (written, start) = (appends.len() * batch, now());
        for append in appends {
            journal.append(append).await.unwrap();
        }
        (written, start.elapsed())
    })
    .await
}

async fn many_runs(synchronous: Synchronous) -> f64 {
    const RUNS: u32 = 64;
    const TURNS: u64 = 50;
    let events: Vec<Event> = (0..3).map(event).collect();
    best(async || {
        let folder = tempfile::tempdir().unwrap();
        let journal = Arc::new(open(&folder.path().join("orch.db"), synchronous).await);
        let start = now();
        let runs: Vec<_> = (0..RUNS)
            .map(|number| {
                let (journal, events) = (journal.clone(), events.clone());
                tokio::spawn(async move {
                    let run = SampleRun::new(number);
                    for turn in 0..TURNS {
                        journal.append(run.append(turn * 3, events.clone())).await.unwrap();
                    }
                })
            })
            .collect();
        for run in runs {
            run.await.unwrap();
        }
        (RUNS as usize * TURNS as usize * 3, start.elapsed())
    })
    .await
}

async fn loading() -> f64 {
    best(async || {
        let folder = tempfile::tempdir().unwrap();
        let journal = open(&folder.path().join("orch.db"), Synchronous::Normal).await;
        let (run, events) = (SampleRun::new(1), 30_000);
        journal.append(run.append(0, (0..events).map(event).collect())).await.unwrap();
        let start = now();
        assert_eq!(journal.load(run.id(), Seq(0)).await.unwrap().len(), events);
        (events, start.elapsed())
    })
    .await
}

async fn bare_sqlx(bare: Bare, batch: usize, synchronous: Synchronous) -> f64 {
    let bodies: Vec<String> =
        (0..batch).map(|n| serde_json::to_string(&event(n)).unwrap()).collect();
    let sql: Arc<str> = statement(bare, batch).into();
    best(async || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orch.db");
        open(&path, synchronous).await.close().await;
        let mut conn = connect(&path, synchronous).await;
        let (mut last, start) = (0, now());
        while (last as usize) < EVENTS {
            sqlx::query("BEGIN IMMEDIATE").execute(&mut conn).await.unwrap();
            write(&mut conn, bare, &sql, &bodies, last).await;
            sqlx::query("COMMIT").execute(&mut conn).await.unwrap();
            last += batch as i64;
        }
        (last as usize, start.elapsed())
    })
    .await
}

fn statement(bare: Bare, batch: usize) -> String {
    const INTO: &str = "INSERT INTO orch_events (run, seq, version, at, body, digest)";
    match bare {
        Bare::Each => format!("{INTO} VALUES (?, ?, 1, ?, ?, x'00')"),
        Bare::Values => {
            format!("{INTO} VALUES {}", vec!["(?, ?, 1, ?, ?, x'00')"; batch].join(","))
        }
        Bare::Json => {
            format!(
                "{INTO} SELECT ?, value ->> 0, 1, value ->> 1, value ->> 2, x'00' FROM json_each(?)"
            )
        }
    }
}

async fn connect(path: &Path, synchronous: Synchronous) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(path)
        .synchronous(match synchronous {
            Synchronous::Full => SqliteSynchronous::Full,
            Synchronous::Normal => SqliteSynchronous::Normal,
        })
        .disable_statement_logging()
        .connect()
        .await
        .unwrap()
}

async fn write(
    conn: &mut SqliteConnection,
    bare: Bare,
    sql: &Arc<str>,
    bodies: &[String],
    last: i64,
) {
    const RUN: i64 = 1;
    const AT: i64 = 1_700_000_000_000_000;
    let query = || sqlx::query(AssertSqlSafe(sql.clone()));
    let rows = (last + 1..).zip(bodies);
    match bare {
        Bare::Each => {
            for (seq, body) in rows {
                let query = query().bind(RUN).bind(seq).bind(AT).bind(body.clone());
                query.execute(&mut *conn).await.unwrap();
            }
        }
        Bare::Values => {
            let bind = |query: sqlx::query::Query<'static, _, _>, (seq, body): (i64, &String)| {
                query.bind(RUN).bind(seq).bind(AT).bind(body.clone())
            };
            rows.fold(query(), bind).execute(conn).await.unwrap();
        }
        Bare::Json => {
            let rows: Vec<(i64, i64, &String)> = rows.map(|(seq, body)| (seq, AT, body)).collect();
            let rows = serde_json::to_string(&rows).unwrap();
            query().bind(RUN).bind(rows).execute(conn).await.unwrap();
        }
    }
}
