//! Processes that learn at once, or are killed while they do.

use std::sync::Arc;

use orch_core::journal::MemoryJournal;
use orch_core::{ComplexTask, Journal, Memory, MemorySnapshot, ProjectId};
use orch_memory::LearnedMemory;

use crate::children::{Worker, say, wait_for_word};
use crate::lesson::{Lesson, done, failed};
use crate::support::{
    Kind, TempFile, TestDatabase, assert_sound, memory_at, on_both, open_at, raw,
};

on_both! {
    a_fold_that_was_killed_is_repeated_and_changes_nothing,
}

fn project() -> ProjectId {
    ProjectId::new("p")
}

async fn snapshot(memory: &LearnedMemory) -> MemorySnapshot {
    memory.snapshot(&project(), &ComplexTask::new("t", "Audit", "audit")).await.unwrap()
}

async fn exported(memory: &LearnedMemory) -> String {
    let mut lines = Vec::new();
    memory.export(&mut lines).await.unwrap();
    String::from_utf8(lines).unwrap()
}

/// How often a process is killed, and how many runs it learns from at once.
const KILLS: u32 = 12;
const TOGETHER: usize = 3;

/// Runs of which a process learns until it is killed: enough for all kills and the rest.
fn lessons() -> Vec<Lesson> {
    let cause = orch_core::Cause::Timeout;
    let tries = |number: u32| [done("read", "ann", number.into()), failed("read", "bob", cause)];
    (0..120).map(|number| Lesson::new(number, &format!("Audit {number}"), tries(number))).collect()
}

/// The child: learns from all runs, however far earlier ones have come.
pub(crate) async fn fold_until_killed(place: &str) {
    let journal: Arc<dyn Journal> = open_at(place).await.into();
    let memory = memory_at(place, &journal).await;
    for lessons in lessons().chunks(TOGETHER) {
        let runs: Vec<_> = lessons.iter().map(Lesson::id).collect();
        let folded = memory.fold_runs(&runs).await.unwrap();
        if folded > 0 {
            say(folded);
        }
    }
    say("done");
}

async fn a_fold_that_was_killed_is_repeated_and_changes_nothing(kind: Kind) {
    let home = kind.home();
    let journal: Arc<dyn Journal> = open_at(&home.place()).await.into();
    let once = kind.home();
    let undisturbed: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
    let expected = once.memory(&undisturbed).await;
    for lesson in lessons() {
        lesson.append_all(&*journal).await;
        lesson.append_all(&*undisturbed).await;
        expected.fold(lesson.id()).await.unwrap();
    }
    for kill in 0..KILLS {
        let mut child = Worker::start("fold_until_killed", home.place());
        for _ in 0..=(kill % 3) {
            assert_eq!(child.hear().unwrap().parse(), Ok(TOGETHER), "there is something left");
        }
        child.kill();
        assert!(!child.ends_well());
    }
    let mut last = Worker::start("fold_until_killed", home.place());
    while last.hear().unwrap() != "done" {}
    assert!(last.ends_well());

    let memory = home.memory(&journal).await;
    assert_eq!(memory.catch_up(&project()).await.unwrap(), 0);
    assert_eq!(snapshot(&memory).await, snapshot(&expected).await);
    assert_eq!(exported(&memory).await, exported(&expected).await);
}

/// How many runs each process of the race folds: `ORCH_MEMORY_TEST_FOLDS` for the full figure, which is 10,000.
fn folds() -> u32 {
    std::env::var("ORCH_MEMORY_TEST_FOLDS").map_or(300, |folds| folds.parse().unwrap())
}

/// The child: runs and folds them, `offset` apart from the others'; every tenth is the others' too.
pub(crate) async fn fold_many(place: &str, offset: &str) {
    let offset: u32 = offset.parse().unwrap();
    let journal: Arc<dyn Journal> = open_at(place).await.into();
    let memory = memory_at(place, &journal).await;
    say("ready");
    wait_for_word();
    for number in 0..folds() {
        let lesson = Lesson::new(number + offset, "Audit", [done("read", "ann", 1)]);
        lesson.append_all(&*journal).await;
        memory.fold(lesson.id()).await.unwrap();
        if number % 10 == 0 {
            memory.catch_up(&project()).await.unwrap();
        }
    }
    say("done");
}

/// Lets so many processes fold at once, and reads meanwhile.
async fn race(place: &str, writers: u32) {
    let journal: Arc<dyn Journal> = open_at(place).await.into();
    let reader = memory_at(place, &journal).await;
    let start = |writer| Worker::start(&format!("fold {}", writer * 1_000_000), place);
    let mut children: Vec<Worker> = (0..writers).map(start).collect();
    for child in &mut children {
        assert_eq!(child.hear().as_deref(), Some("ready"));
    }
    children.iter_mut().for_each(Worker::tell);
    let waiting = tokio::task::spawn_blocking(move || {
        children
            .into_iter()
            .all(|mut child| child.hear().as_deref() == Some("done") && child.ends_well())
    });
    let (mut before, mut reads) = (0, 0);
    while !waiting.is_finished() {
        let now = snapshot(&reader).await.learned;
        let seen = now.of(&"ann".into(), "read").map_or(0, |summary| summary.attempts);
        assert!(seen >= before, "{seen} after {before}");
        (before, reads) = (seen, reads + 1);
    }
    assert!(waiting.await.unwrap() && reads > 0);
    let learned = snapshot(&reader).await.learned;
    let all = u64::from(folds()) * u64::from(writers);
    assert_eq!(learned.of(&"ann".into(), "read").unwrap().attempts, all);
    let runs: u64 = learned.tasks.plans.values().map(|plans| plans.history.total().count()).sum();
    assert_eq!(runs, all);
}

#[tokio::test]
async fn two_processes_that_fold_into_a_file_at_once_lose_and_double_nothing() {
    let file = TempFile::new();
    race(file.place(), 2).await;
    assert_sound(&mut raw(&file).await).await;
}

#[tokio::test]
async fn eight_processes_that_fold_into_a_database_at_once_lose_and_double_nothing() {
    let Some(database) = TestDatabase::create() else { return };
    race(&database.url(), 8).await;
}
