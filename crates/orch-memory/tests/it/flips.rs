//! Bits that flip in a store: nothing wrong is shown as right.
//!
//! `ORCH_TEST_FLIPS` says how many flips each test makes; `cargo xtask soak flips` makes many.

use std::time::Duration;

use orch_core::journal::{Blob, JournalError, Recorded, RunFilter};
use orch_core::learned::Priors;
use orch_core::testing::{SampleRun, sample_plan};
use orch_core::{Digest, Event, Journal, Seq};
use orch_memory::SqliteJournal;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use crate::support::{TempFile, open, quick, raw, text};

const RUNS: u32 = 6;

fn flips() -> u64 {
    std::env::var("ORCH_TEST_FLIPS").map_or(50, |flips| flips.parse().unwrap())
}

/// The same numbers in every run of the tests: SplitMix64.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as usize % limit
    }

    fn flip(&mut self, bytes: &mut [u8]) {
        let byte = self.below(bytes.len());
        bytes[byte] ^= 1 << self.below(8);
    }
}

/// A store whose right answers are known.
struct Known {
    file: TempFile,
    runs: Vec<(SampleRun, Vec<Recorded>)>,
    /// Results of workers, one for each run.
    results: Vec<Blob>,
}

impl Known {
    /// Makes runs with small events, a large one, which is a blob, and a result in a blob.
    async fn new() -> Self {
        let file = TempFile::new();
        let journal = open(&file).await;
        let (mut runs, mut results) = (Vec::new(), Vec::new());
        for number in 1..=RUNS {
            let run = SampleRun::new(number);
            let plan = Event::PlanAdopted {
                revision: 1,
                base_seq: Seq(0),
                retire: Vec::new(),
                add: sample_plan(200 + number).into(),
                priors: Priors::default(),
            };
            let result = Blob::new(vec![number as u8; 20_000]);
            journal.append(run.step(0, 3)).await.unwrap();
            journal.append(run.append(3, vec![plan])).await.unwrap();
            journal.append(run.step(4, 20).with_blobs(vec![result.clone()])).await.unwrap();
            let events = journal.load(run.id(), Seq(0)).await.unwrap();
            assert_eq!(events.len(), 24);
            runs.push((run, events));
            results.push(result);
        }
        journal.close().await;
        Self { file, runs, results }
    }

    /// Loads every run; says which are broken, after which of their events, and why.
    async fn broken(&self, journal: &SqliteJournal) -> Vec<(SampleRun, usize, String)> {
        let mut broken = Vec::new();
        for (run, events) in &self.runs {
            let readable = journal.load_readable(run.id(), Seq(0)).await.unwrap();
            let seen = readable.events.len();
            assert!(readable.events[..] == events[..seen], "run {} is shown wrong", run.id());
            match readable.broken {
                Some(error) => broken.push((run.clone(), seen, error.to_string())),
                None => assert_eq!(seen, events.len(), "run {} lacks its end", run.id()),
            }
        }
        broken
    }
}

/// A place of the store where a bit flips.
enum Place {
    Event { run: usize, seq: usize },
    Blob(Digest),
}

impl Place {
    async fn read(&self, known: &Known, conn: &mut SqliteConnection) -> Vec<u8> {
        let sql = format!("SELECT CAST({} AS BLOB) FROM {}", self.column(), self.row(known));
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(conn).await.unwrap()
    }

    async fn write(&self, known: &Known, conn: &mut SqliteConnection, bytes: &[u8]) {
        let (column, row) = (self.column(), self.row(known));
        let (table, condition) = row.split_once(" WHERE ").unwrap();
        let kind = if column == "body" { "TEXT" } else { "BLOB" };
        let sql = format!("UPDATE {table} SET {column} = CAST(? AS {kind}) WHERE {condition}");
        sqlx::query(AssertSqlSafe(sql)).bind(bytes.to_vec()).execute(conn).await.unwrap();
    }

    fn column(&self) -> &'static str {
        match self {
            Self::Event { .. } => "body",
            Self::Blob(_) => "bytes",
        }
    }

    fn row(&self, known: &Known) -> String {
        match self {
            Self::Event { run, seq } => {
                let run = known.runs[*run].0.id();
                format!(
                    "orch_events WHERE seq = {seq} AND run = (SELECT id FROM orch_runs WHERE run = '{run}')"
                )
            }
            Self::Blob(hash) => format!("orch_blobs WHERE piece = 0 AND hash = '{hash}'"),
        }
    }
}

#[tokio::test]
async fn a_flipped_bit_of_a_body_is_seen_where_it_is() {
    let known = Known::new().await;
    let (journal, mut conn) = (open(&known.file).await, raw(&known.file).await);
    let hashes = text(&mut conn, "SELECT group_concat(hash) FROM orch_blobs").await;
    let hashes: Vec<Digest> = hashes.split(',').map(|hash| hash.parse().unwrap()).collect();
    assert_eq!(hashes.len(), 2 * RUNS as usize, "a plan and a result for each run");
    let mut numbers = Numbers(1);
    for flip in 0..flips() {
        let place = match numbers.below(3) {
            0 => Place::Blob(hashes[numbers.below(hashes.len())]),
            _ => Place::Event { run: numbers.below(RUNS as usize), seq: 1 + numbers.below(24) },
        };
        let right = place.read(&known, &mut conn).await;
        let mut wrong = right.clone();
        numbers.flip(&mut wrong);
        place.write(&known, &mut conn, &wrong).await;
        let broken = known.broken(&journal).await;
        match &place {
            Place::Event { run, seq } => {
                let [(found, seen, error)] = &broken[..] else { panic!("flip {flip}: {broken:?}") };
                let id = known.runs[*run].0.id();
                assert_eq!((found.id(), *seen), (id, seq - 1), "flip {flip}");
                assert!(error.starts_with(&format!("event {seq} of run {id} ")), "{error}");
            }
            Place::Blob(hash) => {
                let is_result = known.results.iter().any(|result| result.name.hash == *hash);
                assert_eq!(broken.len(), usize::from(!is_result), "flip {flip}: {broken:?}");
                let all = broken
                    .iter()
                    .all(|(_, seen, error)| *seen == 3 && error.contains(&hash.to_string()));
                assert!(all, "flip {flip}: {broken:?}");
            }
        }
        for result in &known.results {
            let is_flipped = matches!(&place, Place::Blob(hash) if *hash == result.name.hash);
            match journal.blob(result.name).await {
                Ok(bytes) => assert!(!is_flipped && bytes[..] == result.bytes[..], "flip {flip}"),
                Err(JournalError::Corrupt { what, .. }) => {
                    assert!(is_flipped, "flip {flip}: {what}");
                    assert_eq!(what, format!("blob {}", result.name.hash));
                }
                Err(error) => panic!("flip {flip}: {error:?}"),
            }
        }
        place.write(&known, &mut conn, &right).await;
    }
    assert!(known.broken(&journal).await.is_empty(), "without a flip all is as it was");
}

#[tokio::test]
async fn a_flipped_bit_anywhere_in_the_file_gives_an_error_or_the_right_answer() {
    let known = Known::new().await;
    let bytes = std::fs::read(known.file.path()).unwrap();
    let (mut numbers, mut errors, mut unknown) = (Numbers(2), 0, 0);
    for flip in 0..flips() {
        let mut damaged = bytes.clone();
        numbers.flip(&mut damaged);
        let file = TempFile::new();
        std::fs::create_dir(file.path().parent().unwrap()).unwrap();
        std::fs::write(file.path(), &damaged).unwrap();
        let answers = tokio::time::timeout(Duration::from_secs(30), answers(&known, &file)).await;
        let answers = answers.unwrap_or_else(|_| panic!("flip {flip} hangs"));
        errors += u64::from(answers.is_error);
        unknown += u64::from(answers.unknown > 0);
    }
    // An index may not find a run any more: it is then unknown, and nothing of it is shown.
    assert!(unknown <= flips() / 50 + 2, "after {unknown} flips runs were not found");
    eprintln!("{} flips: {errors} with an error, {unknown} runs not found", flips());
}

/// What a damaged store has answered, none of it wrong.
struct Answers {
    is_error: bool,
    /// Runs of which the store knows nothing.
    unknown: u64,
}

async fn answers(known: &Known, file: &TempFile) -> Answers {
    let mut answers = Answers { is_error: false, unknown: 0 };
    let Ok(journal) = SqliteJournal::open(file, quick()).await else {
        return Answers { is_error: true, ..answers };
    };
    for (run, events) in &known.runs {
        match journal.load_readable(run.id(), Seq(0)).await {
            Ok(readable) if readable.events.is_empty() && readable.broken.is_none() => {
                answers.unknown += 1;
            }
            Ok(readable) => {
                let seen = readable.events.len();
                assert!(readable.events[..] == events[..seen], "run {} is shown wrong", run.id());
                assert!(seen == events.len() || readable.broken.is_some());
                answers.is_error |= readable.broken.is_some();
            }
            Err(_) => answers.is_error = true,
        }
    }
    for result in &known.results {
        match journal.blob(result.name).await {
            Ok(bytes) => assert!(bytes[..] == result.bytes[..], "a blob is shown wrong"),
            Err(_) => answers.is_error = true,
        }
    }
    answers.is_error |= journal.rows(&RunFilter::new()).await.is_err();
    let _: Result<(), _> = journal.append(known.runs[0].0.step(24, 1)).await;
    journal.close().await;
    answers
}
