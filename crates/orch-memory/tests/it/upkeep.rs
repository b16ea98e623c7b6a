//! Looking at memory, deciding about rules, erasing.

use std::sync::Arc;

use orch_core::journal::MemoryJournal;
use orch_core::{Cause, ComplexTask, Journal, Memory, MemorySnapshot, ProjectId};
use orch_memory::{Forget, Forgotten, Heuristic, LearnedMemory, Verdict};

use crate::lesson::{Lesson, done, failed};
use crate::support::{Home, Kind, on_both};

on_both! {
    a_person_pins_and_forbids_rules,
    forgetting_says_what_it_would_take_and_takes_no_more,
    the_newest_examples_are_kept_whatever_the_order_of_learning,
}

fn project() -> ProjectId {
    ProjectId::new("p")
}

async fn taught(file: &Home, numbers: std::ops::Range<u32>) -> LearnedMemory {
    let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
    let mut runs = Vec::new();
    for number in numbers {
        let tries =
            [done("read", "ann", 100 + u64::from(number)), failed("read", "bob", Cause::Gate)];
        let lesson =
            Lesson { day: 20_000 + number as i32, ..Lesson::new(number, "Audit the till", tries) };
        lesson.append_all(&*journal).await;
        runs.push(lesson.id());
    }
    let memory = file.memory(&journal).await;
    assert_eq!(memory.fold_runs(&runs).await.unwrap(), runs.len());
    memory
}

async fn snapshot(memory: &LearnedMemory) -> MemorySnapshot {
    memory.snapshot(&project(), &ComplexTask::new("t", "Audit the till", "audit")).await.unwrap()
}

async fn exported(memory: &LearnedMemory) -> Vec<u8> {
    let mut out = Vec::new();
    let lines = memory.export(&mut out).await.unwrap();
    assert_eq!(out.iter().filter(|byte| **byte == b'\n').count() as u64, lines);
    out
}

async fn routing_rule(memory: &LearnedMemory) -> Heuristic {
    let rules = memory.rules(&project()).await.unwrap();
    let rule = rules.iter().find(|rule| matches!(rule.heuristic, Heuristic::Routing(_))).unwrap();
    assert!(
        rule.why.starts_with("`ann` succeeded in 5 of 5, `bob` succeeded in 0 of 5;"),
        "{}",
        rule.why
    );
    rule.heuristic.clone()
}

async fn a_person_pins_and_forbids_rules(kind: Kind) {
    let file = kind.home();
    let memory = taught(&file, 0..5).await;
    let rule = routing_rule(&memory).await;
    assert_eq!(snapshot(&memory).await.learned.routing.len(), 1);
    memory.decide(&project(), &rule, Some(Verdict::Forbidden), "").await.unwrap();
    assert_eq!(snapshot(&memory).await.learned.routing, []);
    memory.decide(&project(), &rule, Some(Verdict::Pinned), "").await.unwrap();
    memory.forget(&Forget::all_of(project()), false).await.unwrap();
    let pinned = snapshot(&memory).await.learned.routing.clone();
    assert_eq!((pinned[0].id.as_str(), pinned[0].confidence), (rule.id(), 1.0));
    assert_eq!(memory.rules(&project()).await.unwrap().len(), 1);
    memory.decide(&project(), &rule, None, "").await.unwrap();
    assert_eq!(snapshot(&memory).await.learned.routing, []);
}

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

async fn the_newest_examples_are_kept_whatever_the_order_of_learning(kind: Kind) {
    let mut kept = Vec::new();
    for order in [1, 7] {
        let file = kind.home();
        let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
        let memory = file.memory(&journal).await;
        for number in (0..25_u32).map(|number| number * order % 25) {
            let tries = [done("read", "ann", 1), done("read", "bob", 1)];
            // Two runs of each day, so that ids decide too.
            let lesson =
                Lesson { day: 20_000 + number as i32 / 2, ..Lesson::new(number, "Audit", tries) };
            lesson.append_all(&*journal).await;
            assert!(memory.fold(lesson.id()).await.unwrap());
        }
        assert_eq!(memory.stats(&project()).await.unwrap().examples, 25 + 20 + 20);
        kept.push(exported(&memory).await);
    }
    let text = String::from_utf8(kept[0].clone()).unwrap();
    let of_ann: Vec<&str> = text.lines().filter(|line| line.contains(r#""agent":"ann""#)).collect();
    let newest = |number| {
        format!(
            "{}",
            Lesson { day: 20_000 + number as i32 / 2, ..Lesson::new(number, "", []) }.id()
        )
    };
    assert!((5..25).all(|number| of_ann.iter().any(|line| line.contains(&newest(number)))));
    assert!(kept[0] == kept[1], "another order teaches something else");
}
