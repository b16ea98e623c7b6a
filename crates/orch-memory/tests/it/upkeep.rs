//! Looking at memory, deciding about rules.

use std::sync::Arc;

use orch_core::journal::MemoryJournal;
use orch_core::{Cause, ComplexTask, Journal, Memory, MemorySnapshot, ProjectId};
use orch_memory::{Forget, Heuristic, LearnedMemory, Verdict};

use crate::lesson::{Lesson, done, failed};
use crate::support::{Home, Kind, on_both};

on_both! {
    a_person_pins_and_forbids_rules,
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
    let read = Forget::all_of(project()).with_task_type(Some("read".into()));
    memory.forget(&read, false).await.unwrap();
    let pinned = snapshot(&memory).await.learned.routing.clone();
    assert_eq!((pinned[0].id.as_str(), pinned[0].confidence), (rule.id(), 1.0));
    let rules = memory.rules(&project()).await.unwrap();
    assert!(rules.iter().any(|known| known.heuristic.id() == rule.id()), "without evidence");
    memory.decide(&project(), &rule, None, "").await.unwrap();
    assert_eq!(snapshot(&memory).await.learned.routing, []);
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
