//! Learned memory: what is learned, exactly once, by however many.

use std::sync::Arc;

use orch_core::journal::MemoryJournal;
use orch_core::{
    Cause, ComplexTask, Journal, Memory, MemoryScope, MemorySnapshot, OrchestrationOutcome,
    ProjectId, Scopes, Subtask,
};
use orch_memory::{Forget, LearnedMemory, MemoryError, Verdict};
use proptest::prelude::*;
use proptest::test_runner::Config;
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use crate::lesson::{Lesson, Try, done, failed};
use crate::support::{Home, Kind, TempFile, TestDatabase, memory_at, on_both, raw};
use crate::tables::{postgres_rows, sqlite_rows};

on_both! {
    a_snapshot_shows_what_happened,
    a_slice_is_for_its_worker_and_keeps_to_its_budget,
    what_a_person_thinks_changes_the_rewards_and_may_be_changed,
    an_outcome_is_the_same_whoever_learns_it_and_when,
    what_a_killed_process_left_is_caught_up_with,
}

fn project() -> ProjectId {
    ProjectId::new("p")
}

fn task(text: &str) -> ComplexTask {
    ComplexTask::new("t", text, "audit")
}

async fn snapshot(memory: &LearnedMemory, text: &str) -> MemorySnapshot {
    memory.snapshot(&project(), &task(text)).await.unwrap()
}

fn journal() -> Arc<dyn Journal> {
    Arc::new(MemoryJournal::new())
}

/// A memory that has learned from `lessons`, each folded after its whole run is there.
async fn taught(file: &Home, lessons: &[Lesson]) -> LearnedMemory {
    let journal = journal();
    let memory = file.memory(&journal).await;
    for lesson in lessons {
        lesson.append_all(&*journal).await;
        assert!(memory.fold(lesson.id()).await.unwrap());
    }
    memory
}

async fn a_snapshot_shows_what_happened(kind: Kind) {
    let file = kind.home();
    let lessons = [
        Lesson::new(
            1,
            "Audit the payment service",
            [
                done("read", "ann", 100),
                failed("read", "bob", Cause::Crash),
                done("write", "ann", 5_000),
            ],
        ),
        Lesson::new(
            2,
            "Audit the login service",
            [done("read", "ann", 200), done("read", "ann", 300)],
        ),
        Lesson::new(3, "Water the garden", [failed("read", "bob", Cause::Cancelled)]),
    ];
    let memory = taught(&file, &lessons).await;
    let learned = snapshot(&memory, "Audit the payment service again").await.learned;

    let ann = learned.of(&"ann".into(), "read").unwrap();
    assert_eq!((ann.attempts, ann.successes), (3, 3));
    assert!(ann.duration_ms.unwrap().p50.abs_diff(200) <= 6);
    let (cost, tokens) = (ann.cost_micro_usd.unwrap(), ann.tokens.unwrap());
    assert_eq!((cost.seen, cost.p99.abs_diff(10_000) <= 312), (3, true));
    assert_eq!((tokens.seen, tokens.p90.abs_diff(50) <= 1), (3, true));
    let bob = learned.of(&"bob".into(), "read").unwrap();
    assert_eq!(bob.attempts, 1, "that he was cancelled says nothing about him");

    let similar: Vec<&str> =
        learned.similar.iter().map(|(_, past)| past.outcome.task_description.as_str()).collect();
    assert_eq!(
        similar,
        ["Audit the payment service", "Audit the login service", "Water the garden"]
    );
    let scores: Vec<f64> = learned.similar.iter().map(|(score, _)| *score).collect();
    assert!(scores[0] > scores[1] && scores[1] > 2.0 * scores[2], "{scores:?}");
    let past = &learned.similar[0].1;
    assert_eq!((past.steps.len(), past.outcome.overall_success), (3, false));
    assert_eq!(
        past.outcome.lessons_learned.as_deref(),
        Some(
            "`s1` failed, last tried by `bob`. `s2` took longest: 5.0 s by `ann`. `ann` did 2 of 3 at the first try."
        )
    );

    let rule = learned.routing.iter().find(|rule| rule.condition.contains("`read`")).unwrap();
    assert_eq!((rule.worker_preference[0].as_str(), rule.occurrence_count), ("ann", 4));
    assert_eq!(learned.decomposition.len(), 1);
    assert_eq!(learned.decomposition[0].parallelism_factor, 2.0);
    let outcome_counts = snapshot(&memory, "x").await.outcome_counts;
    assert_eq!(outcome_counts.success_rate(&"bob".into(), "read"), 0.5);
}

async fn a_slice_is_for_its_worker_and_keeps_to_its_budget(kind: Kind) {
    let file = kind.home();
    let long = "very ".repeat(200);
    let lessons: Vec<Lesson> = (0..10)
        .map(|number| {
            let tries = [done("read", "ann", 100), failed("read", "bob", Cause::Timeout)];
            Lesson::new(number, &format!("Read the {long} long book {number}"), tries)
        })
        .collect();
    let memory = taught(&file, &lessons).await;
    let subtask = Subtask::new("s", "Read the long book 7", "read");
    let slice = memory.slice(&project(), &"bob".into(), &subtask, 2_000).await.unwrap();
    assert_eq!(
        slice.anti_patterns,
        ["Failed 10 times with `timeout`, the last time: timeout of bob"]
    );
    assert_eq!(slice.heuristics, ["0 of 10 attempts at `read` subtasks succeeded."]);
    assert_eq!(slice.outcomes.len(), 8);
    assert!(slice.outcomes.iter().all(|outcome| outcome.starts_with("Failed: Read the very")));
    for max_tokens in [0, 20, 50, 200, 500] {
        let slice = memory.slice(&project(), &"bob".into(), &subtask, max_tokens).await.unwrap();
        assert!(slice.estimated_tokens() <= max_tokens);
        assert_eq!(slice.outcomes.is_empty(), max_tokens < 200);
    }
    let unknown = memory.slice(&project(), &"eve".into(), &subtask, 2_000).await.unwrap();
    assert_eq!(unknown, orch_core::MemorySlice::new());
}

async fn what_a_person_thinks_changes_the_rewards_and_may_be_changed(kind: Kind) {
    let lesson =
        Lesson::new(1, "Audit", [done("read", "ann", 1), failed("read", "bob", Cause::Gate)]);
    let (file, other) = (kind.home(), kind.home());
    let memory = taught(&file, std::slice::from_ref(&lesson)).await;
    memory.feedback(lesson.id(), 0.9, "").await.unwrap();
    memory.feedback(lesson.id(), 0.2, "too short").await.unwrap();
    let learned = snapshot(&memory, "Audit").await.learned;
    let reward = |worker: &str| {
        learned.of(&worker.into(), "read").unwrap().decayed(learned.today).mean_reward()
    };
    assert_eq!((reward("ann"), reward("bob")), (Some(0.2), Some(0.0)));
    let opinions: Vec<_> = learned.tasks.aggregation.values().collect();
    assert_eq!(opinions[0].total().times(1.0).mean_reward(), Some(0.2));
    assert_eq!(learned.similar[0].1.feedback.as_ref().unwrap().note, "too short");

    let once = taught(&other, std::slice::from_ref(&lesson)).await;
    once.feedback(lesson.id(), 0.2, "too short").await.unwrap();
    assert_eq!(snapshot(&once, "Audit").await.learned, learned, "as if it had been said at once");

    for score in [-0.1, 1.1, f64::NAN] {
        let error = memory.feedback(lesson.id(), score, "").await.unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(MemoryError::Score(_))), "{error}");
    }
    let unknown = Lesson::new(9, "Never", []).id();
    let error = memory.feedback(unknown, 0.5, "").await.unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(MemoryError::UnknownRun(_))), "{error}");
}

async fn an_outcome_is_the_same_whoever_learns_it_and_when(kind: Kind) {
    let lesson = Lesson::new(1, "Audit", [done("read", "ann", 1)]);
    let (file, other, journal) = (kind.home(), kind.home(), journal());
    let boss = || Scopes::new(MemoryScope::new("boss"), []);
    let memory = file.memory(&journal).await.with_scopes(boss());
    lesson.append_all(&*journal).await;
    let id = format!("orch_{}", lesson.id());
    let outcome = OrchestrationOutcome::new(id, "boss", "p", "audit", jiff::Timestamp::UNIX_EPOCH)
        .with_worker_utilization(std::collections::BTreeMap::from([("ann".into(), 0.125)]));
    memory.record_outcome(&outcome).await.unwrap();
    let before = snapshot(&memory, "Audit").await;
    memory.record_outcome(&outcome).await.unwrap();
    assert!(!memory.fold(lesson.id()).await.unwrap());
    assert_eq!(snapshot(&memory, "Audit").await, before);
    assert_eq!(before.learned.similar[0].1.outcome.supervisor, "boss");
    assert_eq!(before.outcome_counts.attempts(&"ann".into()), 1);
    let later = other.memory(&journal).await.with_scopes(boss());
    assert_eq!(later.catch_up(&project()).await.unwrap(), 1);
    assert_eq!(snapshot(&later, "Audit").await, before);
    let other = OrchestrationOutcome::new("x", "boss", "p", "audit", jiff::Timestamp::UNIX_EPOCH);
    assert!(memory.record_outcome(&other).await.is_err());
    let never = format!("orch_{}", Lesson::new(9, "Never", []).id());
    let never = OrchestrationOutcome::new(never, "boss", "p", "audit", jiff::Timestamp::UNIX_EPOCH);
    assert!(memory.record_outcome(&never).await.is_err());
}

async fn what_a_killed_process_left_is_caught_up_with(kind: Kind) {
    let (file, journal) = (kind.home(), journal());
    let lessons: Vec<Lesson> =
        (0..5).map(|number| Lesson::new(number, "Audit", [done("read", "ann", 1)])).collect();
    for lesson in &lessons {
        lesson.append_all(&*journal).await;
    }
    let memory = file.memory(&journal).await;
    memory.fold(lessons[2].id()).await.unwrap();
    assert_eq!(memory.catch_up(&project()).await.unwrap(), 4);
    assert_eq!(memory.catch_up(&project()).await.unwrap(), 0);
    assert_eq!(snapshot(&memory, "x").await.outcome_counts.attempts(&"ann".into()), 5);
}

fn attempt() -> impl Strategy<Value = Try> {
    let cause =
        prop::option::of(prop::sample::select(vec![Cause::Timeout, Cause::Gate, Cause::Lost]));
    (0..3_u8, 0..3_u8, cause, 0..10_000_u64).prop_map(|(task_type, worker, cause, ms)| Try {
        cause,
        lesson: (ms % 2 == 0).then(|| format!("lesson {}", ms % 50)),
        ..done(&format!("type{task_type}"), &format!("worker{worker}"), ms)
    })
}

fn lessons() -> impl Strategy<Value = Vec<Lesson>> {
    let lesson = (prop::collection::vec(attempt(), 0..5), 19_000..20_000_i32, 0..4_u8);
    prop::collection::vec(lesson, 1..6).prop_map(|all| {
        (0..)
            .zip(all)
            .map(|(number, (tries, day, text))| Lesson {
                day,
                ..Lesson::new(number, &format!("Audit number {text} thoroughly"), tries)
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(Config::with_cases(24))]

    /// Whatever is folded when and by whom, in however many pieces and however often: the same is learned.
    #[test]
    fn any_order_and_any_pieces_teach_the_same(
        (lessons, shuffled) in lessons().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        cuts in prop::collection::vec(0..12_usize, 6),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let (file, other) = (Kind::Sqlite.home(), Kind::Sqlite.home());
            let at_once = taught(&file, &lessons).await;
            let journal = journal();
            let both = [other.memory(&journal).await, other.memory(&journal).await];
            for (lesson, cut) in shuffled.iter().zip(&cuts) {
                lesson.append(&*journal, 0, *cut).await;
                both[0].fold(lesson.id()).await.unwrap();
            }
            for (lesson, cut) in shuffled.iter().zip(&cuts).rev() {
                lesson.append(&*journal, *cut, usize::MAX).await;
                let (one, two) = tokio::join!(both[0].fold(lesson.id()), both[1].fold(lesson.id()));
                assert!(!(one.unwrap() && two.unwrap()), "learned twice");
            }
            for lesson in &lessons {
                assert!(!both[1].fold(lesson.id()).await.unwrap());
            }
            assert_eq!(snapshot(&at_once, "Audit number 2").await, snapshot(&both[1], "Audit number 2").await);
        });
    }
}

proptest! {
    #![proptest_config(Config::with_cases(12))]

    /// What is learned in any order, graded, decided and forgotten: the same on both databases, row by row, and where it is moved.
    #[test]
    fn both_databases_know_the_same(
        (lessons, shuffled) in lessons().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        (graded, score) in (0..6_usize, 0.0..=1.0),
        forgets: bool,
    ) {
        let Some(database) = TestDatabase::create() else { return Ok(()) };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let (file, database) = (TempFile::new(), Home::Database(database));
            let (one, other) = (journal(), journal());
            let sqlite = memory_at(file.place(), &one).await;
            let postgres = database.memory(&other).await;
            let sides =
                [(&sqlite, one, &lessons), (&postgres, other, &shuffled)];
            for (memory, journal, order) in &sides {
                for lesson in *order {
                    lesson.append_all(&**journal).await;
                    memory.fold(lesson.id()).await.unwrap();
                }
                let lesson = &lessons[graded % lessons.len()];
                memory.feedback(lesson.id(), score, "so so").await.unwrap();
                if let Some(rule) = memory.rules(&project()).await.unwrap().first() {
                    let rule = &rule.heuristic;
                    memory.decide(&project(), rule, Some(Verdict::Pinned), "").await.unwrap();
                }
                if forgets {
                    let worker = Forget::all_of(project()).with_worker(Some("worker1".into()));
                    memory.forget(&worker, false).await.unwrap();
                }
            }
            let text = "Audit number 2";
            assert_eq!(snapshot(&sqlite, text).await, snapshot(&postgres, text).await);
            let (mut from_file, mut from_database) = (Vec::new(), Vec::new());
            sqlite.export(&mut from_file).await.unwrap();
            postgres.export(&mut from_database).await.unwrap();
            assert_eq!(String::from_utf8(from_file.clone()), String::from_utf8(from_database));
            for kind in [Kind::Sqlite, Kind::Postgres] {
                let elsewhere = kind.home();
                let moved = elsewhere.memory(&journal()).await;
                moved.import(&mut &*from_file).await.unwrap();
                assert_eq!(snapshot(&moved, text).await, snapshot(&sqlite, text).await);
                let mut again = Vec::new();
                moved.export(&mut again).await.unwrap();
                assert_eq!(String::from_utf8(again).unwrap(), String::from_utf8(from_file.clone()).unwrap());
            }
            let rows = sqlite_rows(&mut raw(&file).await).await;
            let mut conn = PgConnection::connect(&database.place()).await.unwrap();
            assert_eq!(rows, postgres_rows(&mut conn).await);
        });
    }
}
