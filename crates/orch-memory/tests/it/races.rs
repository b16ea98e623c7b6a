//! Many processes at once.

use std::collections::{BTreeMap, BTreeSet};

use orch_core::Event;
use orch_core::journal::AppendError;
use orch_core::testing::SampleRun;
use orch_memory::SqliteJournal;

use crate::children::{Worker, say, wait_for_word};
use crate::support::{
    TempFile, TestDatabase, assert_sound, labelled, load, open_at, open_with_id, raw, text,
};

/// How many open a fresh file at once, and how many do everything else.
const OPENERS: usize = 40;
const PROCESSES: usize = 8;
const APPENDS: usize = 25;

fn start_all(place: &str, count: usize, job: impl Fn(usize) -> String) -> Vec<Worker> {
    let mut workers: Vec<_> = (0..count).map(|n| Worker::start(&job(n), place)).collect();
    for worker in &mut workers {
        assert_eq!(worker.hear().as_deref(), Some("ready"));
    }
    workers.iter_mut().for_each(Worker::tell);
    workers
}

/// The child: opens the journal once all are ready, and says which store it is.
pub(crate) async fn open_at_once(place: &str) {
    say("ready");
    wait_for_word();
    let (journal, id) = open_with_id(place).await;
    say(id);
    journal.close().await;
}

/// Has so many processes open the journal at `place` at once, and returns the ids of the store that they saw.
fn ids_seen_by(count: usize, place: &str) -> BTreeSet<String> {
    let see = |mut worker: Worker| {
        let id = worker.hear().unwrap();
        assert!(worker.ends_well());
        id
    };
    start_all(place, count, |_| "open".to_owned()).into_iter().map(see).collect()
}

#[tokio::test]
async fn processes_that_open_a_fresh_file_at_once_see_one_store() {
    let file = TempFile::new();
    let ids = ids_seen_by(OPENERS, file.place());
    let id = SqliteJournal::read_store_id(&file).await.unwrap().unwrap().to_string();
    assert_eq!(ids, BTreeSet::from([id]));
    let applied = "SELECT group_concat(version) FROM _orch_migrations WHERE success";
    assert_eq!(text(&mut raw(&file).await, applied).await, "3");
}

/// The child: appends to the one run that all append to, catching up whenever another was first.
pub(crate) async fn race(place: &str, name: &str) {
    let (journal, run) = (open_at(place).await, SampleRun::new(1));
    say("ready");
    wait_for_word();
    let (mut last, mut conflicts) = (0, 0);
    for number in 0..APPENDS {
        let event = || labelled(format!("{name} {number}"));
        while let Err(error) = journal.append(run.append(last, vec![event()])).await {
            let AppendError::Conflict { actual, .. } = error else { panic!("{error:?}") };
            assert!(actual.0 > last, "{actual} is not after {last}");
            last = actual.0;
            conflicts += 1;
        }
        last += 1;
    }
    say(conflicts);
}

/// Has all processes append to one run of the journal at `place`.
async fn all_append_to_one_run(place: &str) {
    let run = SampleRun::new(1);
    let mut conflicts = 0;
    for mut worker in start_all(place, PROCESSES, |n| format!("race process-{n}")) {
        conflicts += worker.hear().unwrap().parse::<u32>().unwrap();
        assert!(worker.ends_well());
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for recorded in load(&*open_at(place).await, &run).await {
        let Event::RunSuspended { reason } = recorded.event else { panic!("{recorded:?}") };
        let (name, number) = reason.split_once(' ').unwrap();
        let count = counts.entry(name.to_owned()).or_default();
        assert_eq!(number, count.to_string(), "each process's events are there once and in order");
        *count += 1;
    }
    assert_eq!(counts.len(), PROCESSES);
    assert!(counts.values().all(|count| *count == APPENDS), "{counts:?}");
    assert!(conflicts > 0, "the processes never met");
}

#[tokio::test]
async fn processes_that_append_to_one_run_lose_and_double_nothing() {
    let file = TempFile::new();
    all_append_to_one_run(file.place()).await;
    assert_sound(&mut raw(&file).await).await;
}

#[tokio::test]
async fn processes_that_append_to_one_run_in_postgres_lose_and_double_nothing() {
    let Some(database) = TestDatabase::create() else { return };
    all_append_to_one_run(&database.url()).await;
}

#[tokio::test]
async fn processes_that_open_a_fresh_database_at_once_see_one_store() {
    for _ in 0..3 {
        let Some(database) = TestDatabase::create() else { return };
        let ids = ids_seen_by(PROCESSES, &database.url());
        assert_eq!(ids.len(), 1, "{ids:?}");
    }
}
