//! Erasing what was learned: all of what was chosen, and nothing else.

use std::sync::Arc;

use orch_core::journal::MemoryJournal;
use orch_core::{Cause, ComplexTask, Journal, Memory, MemorySnapshot, ProjectId};
use orch_memory::{Forget, Forgotten, LearnedMemory, Verdict};

use crate::lesson::{Lesson, Try, done, failed};
use crate::support::{Home, Kind, on_both};

on_both! {
    forgetting_says_what_it_would_take_and_takes_no_more,
    nothing_of_a_forgotten_worker_is_left,
    nothing_of_a_forgotten_type_is_left,
    a_worker_can_be_forgotten_at_one_type,
    decisions_go_with_their_project,
    an_opinion_changes_nothing_that_was_forgotten,
    a_forgotten_worker_may_begin_anew,
    runs_are_found_by_how_their_ids_begin,
}

fn project() -> ProjectId {
    ProjectId::new("p")
}

fn all() -> Forget {
    Forget::all_of(project())
}

fn of_worker(name: &str) -> Forget {
    all().with_worker(Some(name.into()))
}

/// A journal with lessons, and a memory that has learned from them.
async fn learned(home: &Home, lessons: &[Lesson]) -> (Arc<dyn Journal>, LearnedMemory) {
    let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
    let memory = home.memory(&journal).await;
    for lesson in lessons {
        lesson.append_all(&*journal).await;
        assert!(memory.fold(lesson.id()).await.unwrap());
    }
    (journal, memory)
}

async fn taught(home: &Home, numbers: std::ops::Range<u32>) -> LearnedMemory {
    let lessons = numbers.map(|number| {
        let tries =
            [done("read", "ann", 100 + u64::from(number)), failed("read", "bob", Cause::Gate)];
        Lesson { day: 20_000 + number as i32, ..Lesson::new(number, "Audit the till", tries) }
    });
    learned(home, &lessons.collect::<Vec<_>>()).await.1
}

/// Three runs with parts of ann and of bob, at two types; ann's are the slowest and the best, so that sentences name her.
fn mixed() -> Vec<Lesson> {
    let run = |number| {
        let said = Try { lesson: Some("Pay in cash".into()), ..done("payroll", "ann", 9_000) };
        let tries = [
            said,
            done("read", "bob", 1),
            failed("payroll", "bob", Cause::Crash),
            done("read", "ann", 8_000),
        ];
        Lesson::new(number, "Audit the till", tries)
    };
    (0..3).map(run).collect()
}

async fn snapshot(memory: &LearnedMemory) -> MemorySnapshot {
    memory.snapshot(&project(), &ComplexTask::new("t", "Audit the till", "audit")).await.unwrap()
}

async fn exported(memory: &LearnedMemory) -> String {
    let mut out = Vec::new();
    memory.export(&mut out).await.unwrap();
    String::from_utf8(out).unwrap()
}

/// Which of the words are in what is left.
async fn left<'a>(memory: &LearnedMemory, words: &[&'a str]) -> Vec<&'a str> {
    let export = exported(memory).await;
    words.iter().filter(|word| export.contains(**word)).copied().collect()
}

const WORDS: [&str; 8] = [
    "ann",
    "bob",
    "payroll",
    "read",
    "Audit the till part 0",
    "Audit the till part 1",
    "Audit the till part 2",
    "Audit the till part 3",
];

async fn forgetting_says_what_it_would_take_and_takes_no_more(kind: Kind) {
    let file = kind.home();
    let memory = taught(&file, 0..5).await;
    let before = snapshot(&memory).await;
    let bob = Forget::all_of(project()).with_worker(Some("bob".into()));
    let of = |forgotten: Forgotten| (forgotten.workers, forgotten.tasks, forgotten.examples);
    assert_eq!(of(memory.forget(&bob, true).await.unwrap()), (1, 0, 5));
    assert_eq!(snapshot(&memory).await, before, "that was a question");
    assert_eq!(of(memory.forget(&bob, false).await.unwrap()), (1, 0, 5));
    let learned = snapshot(&memory).await.learned;
    assert_eq!(learned.of(&"bob".into(), "read"), None);
    assert!(learned.of(&"ann".into(), "read").is_some());

    let run = Lesson { day: 20_003, ..Lesson::new(3, "", []) }.id();
    let run = Forget::all_of(project()).with_run(Some(run));
    assert_eq!(of(memory.forget(&run, false).await.unwrap()), (0, 0, 2), "the run and ann's part");
    assert_eq!(snapshot(&memory).await.learned.similar.len(), 4);
    let other = Forget::all_of("elsewhere".into());
    assert_eq!(of(memory.forget(&other, false).await.unwrap()), (0, 0, 0));
    assert_eq!(of(memory.forget(&Forget::all_of(project()), false).await.unwrap()), (1, 1, 8));
    assert_eq!(memory.catch_up(&project()).await.unwrap(), 0, "it is not learned again");
    memory.vacuum().await.unwrap();
    assert_eq!(memory.stats(&project()).await.unwrap().examples, 0);
}

async fn nothing_of_a_forgotten_worker_is_left(kind: Kind) {
    let home = kind.home();
    let (_, memory) = learned(&home, &mixed()).await;
    assert_eq!(left(&memory, &WORDS).await, WORDS);
    memory.forget(&of_worker("ann"), false).await.unwrap();
    let expected = ["bob", "payroll", "read", "Audit the till part 1", "Audit the till part 2"];
    assert_eq!(left(&memory, &WORDS).await, expected);
    let past = &snapshot(&memory).await.learned.similar[0].1;
    assert_eq!(
        past.outcome.lessons_learned.as_deref(),
        Some(
            "`s2` failed, last tried by `bob`. `s1` took longest: 0.0 s by `bob`. `bob` did 1 of 2 at the first try."
        )
    );
}

async fn nothing_of_a_forgotten_type_is_left(kind: Kind) {
    let home = kind.home();
    let (_, memory) = learned(&home, &mixed()).await;
    memory.forget(&all().with_task_type(Some("payroll".into())), false).await.unwrap();
    let expected = ["ann", "bob", "read", "Audit the till part 1", "Audit the till part 3"];
    assert_eq!(left(&memory, &WORDS).await, expected);
    memory.forget(&all().with_task_type(Some("read".into())), false).await.unwrap();
    assert_eq!(left(&memory, &WORDS).await, [""; 0], "runs of type audit are left without parts");
    assert_eq!(snapshot(&memory).await.learned.similar.len(), 3);
}

async fn a_worker_can_be_forgotten_at_one_type(kind: Kind) {
    let home = kind.home();
    let (_, memory) = learned(&home, &mixed()).await;
    let payroll = of_worker("ann").with_task_type(Some("payroll".into()));
    memory.forget(&payroll, false).await.unwrap();
    let expected = [
        "ann",
        "bob",
        "payroll",
        "read",
        "Audit the till part 1",
        "Audit the till part 2",
        "Audit the till part 3",
    ];
    assert_eq!(left(&memory, &WORDS).await, expected);
    let before = exported(&memory).await;
    memory.forget(&payroll, false).await.unwrap();
    assert_eq!(exported(&memory).await, before, "there is nothing left to forget");
}

async fn decisions_go_with_their_project(kind: Kind) {
    let home = kind.home();
    let (_, memory) = learned(&home, &mixed()).await;
    for rule in memory.rules(&project()).await.unwrap() {
        memory.decide(&project(), &rule.heuristic, Some(Verdict::Pinned), "").await.unwrap();
    }
    memory.forget(&all(), false).await.unwrap();
    assert_eq!(memory.rules(&project()).await.unwrap(), []);
    let learned = snapshot(&memory).await.learned;
    assert!(learned.routing.is_empty() && learned.decomposition.is_empty());
    assert_eq!(left(&memory, &WORDS).await, [""; 0]);
}

async fn an_opinion_changes_nothing_that_was_forgotten(kind: Kind) {
    let home = kind.home();
    let (_, memory) = learned(&home, &mixed()).await;
    let run = mixed()[1].id();
    memory.feedback(run, 0.9, "").await.unwrap();
    memory.forget(&of_worker("ann"), false).await.unwrap();
    memory.feedback(run, 0.1, "").await.unwrap();
    assert_eq!(left(&memory, &["ann"]).await, [""; 0]);
    let learned = snapshot(&memory).await.learned;
    assert_eq!(learned.of(&"ann".into(), "read"), None);
    let bob = learned.of(&"bob".into(), "read").unwrap().decayed(learned.today);
    assert_eq!(bob.mean_reward(), Some((1.0 + 0.1 + 1.0) / 3.0), "bob's part counts");
}

async fn a_forgotten_worker_may_begin_anew(kind: Kind) {
    let home = kind.home();
    let (journal, memory) = learned(&home, &mixed()).await;
    memory.forget(&of_worker("ann"), false).await.unwrap();
    let anew = Lesson::new(7, "Audit the till", [done("read", "ann", 1)]);
    anew.append_all(&*journal).await;
    memory.fold(anew.id()).await.unwrap();
    memory.feedback(mixed()[1].id(), 0.1, "").await.unwrap();
    let learned = snapshot(&memory).await.learned;
    let ann = learned.of(&"ann".into(), "read").unwrap().decayed(learned.today);
    assert_eq!(
        (ann.n, ann.mean_reward()),
        (1.0, Some(1.0)),
        "the opinion was of what was forgotten"
    );
}

async fn runs_are_found_by_how_their_ids_begin(kind: Kind) {
    let home = kind.home();
    let (_, memory) = learned(&home, &mixed()).await;
    let id = mixed()[1].id();
    let whole = id.to_string();
    let text = "Audit the till".to_owned();
    assert_eq!(memory.runs(&project(), &whole).await.unwrap(), [(id, text)]);
    assert_eq!(memory.runs(&project(), &whole[..4]).await.unwrap().len(), 3);
    assert_eq!(memory.runs(&project(), "%").await.unwrap(), []);
    assert_eq!(memory.runs(&"elsewhere".into(), &whole).await.unwrap(), []);
    memory.forget(&all().with_run(Some(id)), false).await.unwrap();
    assert_eq!(memory.runs(&project(), &whole).await.unwrap(), []);
}
