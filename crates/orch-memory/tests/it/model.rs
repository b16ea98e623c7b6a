//! Both databases do what the model does: the store in memory, which is the contract as plain functions. Their tables then
//! have the same rows.

use std::fmt::Debug;

use orch_core::journal::{Append, AttemptProcess, Blob, MemoryStore, Owner, ProcessId, RunFilter};
use orch_core::testing::{SampleRun, time};
use orch_core::{Epoch, Fence, Journal, LockName, Seq};
use proptest::prelude::*;
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use crate::support::{TempFile, TestDatabase, open, open_postgres, raw};
use crate::tables::{postgres_rows, sqlite_rows};

/// Runs, in two projects; the first two of each share a request key.
const RUNS: u32 = 6;

#[derive(Debug, Clone)]
enum Step {
    Append {
        run: u32,
        behind: bool,
        epoch: Claim,
        events: u32,
        end: bool,
        take: Locks,
        free: Locks,
        blob: u8,
    },
    Register {
        owner: u8,
        until: u32,
    },
    Acquire {
        run: u32,
        owner: u8,
        now: u32,
        dead: Claim,
    },
    Release {
        run: u32,
        epoch: Claim,
    },
    Note {
        run: u32,
        fence: u64,
    },
}

/// An epoch that somebody names.
#[derive(Debug, Clone, Copy)]
enum Claim {
    None,
    Current,
    Next,
}

/// A set of three locks, as bits.
type Locks = u8;

fn step() -> impl Strategy<Value = (bool, Step)> {
    let claim =
        || prop_oneof![4 => Just(Claim::None), 3 => Just(Claim::Current), 1 => Just(Claim::Next)];
    let locks = || prop_oneof![2 => Just(0), 1 => 0..8_u8];
    let append =
        (
            (0..RUNS, prop::bool::weighted(0.1), claim(), 0..4_u32),
            (prop::bool::weighted(0.1), locks(), locks(), 0..4_u8),
        )
            .prop_map(|((run, behind, epoch, events), (end, take, free, blob))| {
                Step::Append { run, behind, epoch, events, end, take, free, blob }
            });
    let step = prop_oneof![
        8 => append,
        1 => (0..3_u8, 0..10_u32).prop_map(|(owner, until)| Step::Register { owner, until }),
        3 => (0..RUNS, 0..3_u8, 0..10_u32, claim())
            .prop_map(|(run, owner, now, dead)| Step::Acquire { run, owner, now, dead }),
        1 => (0..RUNS, claim()).prop_map(|(run, epoch)| Step::Release { run, epoch }),
        1 => (0..RUNS, 0..3_u64).prop_map(|(run, fence)| Step::Note { run, fence }),
    ];
    (any::<bool>(), step)
}

fn run(number: u32) -> SampleRun {
    let run = SampleRun::in_project(number, if number.is_multiple_of(2) { "even" } else { "odd" });
    if number < 4 { run.with_request_key("key") } else { run }
}

fn locks(bits: Locks) -> Vec<LockName> {
    (0..3)
        .filter(|bit| bits >> bit & 1 == 1)
        .map(|bit| LockName::new(format!("lock-{bit}")))
        .collect()
}

fn epoch(model: &MemoryStore, number: u32, claim: Claim) -> Option<Epoch> {
    let current = model.row(run(number).id()).map_or(Epoch(0), |row| row.epoch);
    match claim {
        Claim::None => None,
        Claim::Current => Some(current),
        Claim::Next => Some(current.next()),
    }
}

fn owner(number: u8, until: u32) -> Owner {
    let process = ProcessId::new(number.into(), u64::MAX, "boot");
    Owner::new(format!("owner-{number}"), format!("Owner {number}"), process, time(until))
}

fn append(model: &MemoryStore, step: &Step) -> Option<Append> {
    let Step::Append { run: number, behind, epoch: claim, events, end, take, free, blob } = step
    else {
        return None;
    };
    let run = run(*number);
    let last = model.seq(run.id()).unwrap_or_default().0;
    let expected = if *behind { last.checked_sub(1).unwrap_or(5) } else { last };
    let mut append = if *end { run.end(expected) } else { run.step(expected, *events) };
    append.epoch = epoch(model, *number, *claim);
    let blobs = (*blob > 0).then(|| Blob::new(vec![*blob; usize::from(*blob) * 1_000]));
    Some(
        append
            .with_take(locks(*take))
            .with_free(locks(*free))
            .with_blobs(blobs.into_iter().collect::<Vec<_>>()),
    )
}

/// Takes the step on both and compares what they answer.
async fn take(model: &mut MemoryStore, journal: &dyn Journal, step: &Step) {
    match step {
        Step::Append { .. } => {
            let append = append(model, step).unwrap();
            same(model.append(append.clone()), journal.append(append).await);
        }
        Step::Register { owner: number, until } => {
            model.register(&owner(*number, *until));
            journal.register(&owner(*number, *until)).await.unwrap();
        }
        Step::Acquire { run: number, owner: name, now, dead } => {
            let dead = epoch(model, *number, *dead);
            let (id, name) = (run(*number).id(), owner(*name, 0).id);
            let expected = model.acquire(id, &name, time(*now), dead);
            same(expected, journal.acquire(id, &name, time(*now), dead).await);
        }
        Step::Release { run: number, epoch: claim } => {
            let epoch = epoch(model, *number, *claim).unwrap_or_default();
            model.release(run(*number).id(), epoch);
            journal.release(run(*number).id(), epoch).await.unwrap();
        }
        Step::Note { run: number, fence } => {
            let process = ProcessId::new(7, *fence, "boot");
            let note = AttemptProcess::new(run(*number).id(), Fence(*fence), process);
            model.note_process(note.clone());
            journal.note_process(note).await.unwrap();
        }
    }
}

#[track_caller]
fn same(model: impl Debug, journal: impl Debug) {
    assert_eq!(format!("{model:?}"), format!("{journal:?}"));
}

async fn compare(model: &MemoryStore, journal: &dyn Journal) {
    let runs: Vec<_> = (0..RUNS).map(|number| run(number).id()).collect();
    for id in &runs {
        assert_eq!(journal.load(*id, Seq(0)).await.unwrap(), model.load(*id, Seq(0)));
        assert_eq!(journal.load(*id, Seq(2)).await.unwrap(), model.load(*id, Seq(2)));
        assert_eq!(journal.row(*id).await.unwrap(), model.row(*id));
        assert_eq!(journal.processes(*id).await.unwrap(), model.processes(*id));
    }
    let heads: Vec<_> = runs.iter().filter_map(|id| Some((*id, model.seq(*id)?))).collect();
    assert_eq!(journal.heads(&runs).await.unwrap(), heads);
    let filter = RunFilter::new;
    for filter in [
        filter(),
        filter().with_open(true),
        filter().with_project(Some("even".into())),
        filter().with_limit(2_u32).with_project(Some("odd".into())).with_open(true),
        filter().with_prefix(runs[3].to_string()),
        filter().with_before(runs[2]),
        filter().with_prefix("00000".to_owned()),
        filter().with_prefix("%_".to_owned()),
        filter().with_request_prefix("k".to_owned()),
    ] {
        assert_eq!(journal.rows(&filter).await.unwrap(), model.rows(&filter), "{filter:?}");
    }
    for project in ["even", "odd", "none"] {
        let (project, key) = (project.into(), "key".into());
        let found = journal.run_of_request(&project, &key).await.unwrap();
        assert_eq!(found, model.run_of_request(&project, &key));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever two writers do in turn, the answers and what is stored in the end are those of the model.
    #[test]
    fn two_writers_do_what_the_model_does(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let file = TempFile::new();
            let (first, second) = (open(&file).await, open(&file).await);
            let mut model = MemoryStore::new();
            for (by_second, step) in &steps {
                take(&mut model, if *by_second { &second } else { &first }, step).await;
            }
            compare(&model, &first).await;
            compare(&model, &second).await;
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Whatever two writers do in turn, PostgreSQL answers as the model and SQLite do, and both have the same rows.
    #[test]
    fn both_databases_answer_the_same_and_have_the_same_rows(
        steps in prop::collection::vec(step(), 1..60)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let Some(database) = TestDatabase::create() else { return };
            let file = TempFile::new();
            let sqlite = open(&file).await;
            let (first, second) = (open_postgres(&database).await, open_postgres(&database).await);
            let (mut model, mut twin) = (MemoryStore::new(), MemoryStore::new());
            for (by_second, step) in &steps {
                take(&mut model, if *by_second { &second } else { &first }, step).await;
                take(&mut twin, &sqlite, step).await;
            }
            compare(&model, &first).await;
            compare(&model, &second).await;
            let mut conn = PgConnection::connect(&database.url()).await.unwrap();
            let (mut found, mut expected) = (postgres_rows(&mut conn).await, sqlite_rows(&mut raw(&file).await).await);
            // Each store has an id of its own.
            for rows in [&mut found, &mut expected] {
                let all = rows.len();
                rows.retain(|row| !row.starts_with("orch_store"));
                assert_eq!(rows.len() + 1, all, "a store has one id");
            }
            // Blobs are written ahead: a refused append leaves them.
            found.retain(|row| !row.starts_with("orch_blobs") || expected.contains(row));
            assert_eq!(found, expected);
        });
    }
}
