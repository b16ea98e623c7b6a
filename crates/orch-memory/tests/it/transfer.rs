//! Moving memory elsewhere: all of it, once, or nothing.

use std::sync::Arc;

use orch_core::journal::MemoryJournal;
use orch_core::{Cause, ComplexTask, Journal, Memory, MemorySnapshot, ProjectId};
use orch_memory::{Heuristic, LearnedMemory, MemoryError, Verdict};

use crate::lesson::{Lesson, done, failed};
use crate::support::{Home, Kind, on_both};

on_both! {
    an_export_teaches_an_empty_memory_the_same_and_may_come_again,
    two_imports_at_once_are_one,
    an_import_beside_a_fold_counts_no_run_twice,
    what_was_cut_off_is_refused_and_leaves_room_for_the_whole,
    decisions_and_opinions_come_with_runs_that_are_known,
    what_is_no_export_is_refused_with_its_line,
}

fn project() -> ProjectId {
    ProjectId::new("p")
}

fn lesson(number: u32) -> Lesson {
    let tries = [done("read", "ann", 100 + u64::from(number)), failed("read", "bob", Cause::Gate)];
    Lesson { day: 20_000 + number as i32, ..Lesson::new(number, "Audit the till", tries) }
}

/// A memory that has learned from some lessons of a journal that has them.
async fn taught(home: &Home, numbers: std::ops::Range<u32>) -> LearnedMemory {
    let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
    let mut runs = Vec::new();
    for number in numbers {
        lesson(number).append_all(&*journal).await;
        runs.push(lesson(number).id());
    }
    let memory = home.memory(&journal).await;
    assert_eq!(memory.fold_runs(&runs).await.unwrap(), runs.len());
    memory
}

/// The same with what people have said about it.
async fn ruled(home: &Home) -> LearnedMemory {
    let memory = taught(home, 0..5).await;
    let rules = memory.rules(&project()).await.unwrap();
    for rule in &rules {
        let verdict = match rule.heuristic {
            Heuristic::Routing(_) => Verdict::Pinned,
            Heuristic::Decomposition(_) => Verdict::Forbidden,
        };
        memory.decide(&project(), &rule.heuristic, Some(verdict), "agreed").await.unwrap();
    }
    for (number, score) in [(1, 0.9), (3, 1.0 / 3.0)] {
        memory.feedback(lesson(number).id(), score, "so so").await.unwrap();
    }
    memory
}

async fn snapshot(memory: &LearnedMemory) -> MemorySnapshot {
    memory.snapshot(&project(), &ComplexTask::new("t", "Audit the till", "audit")).await.unwrap()
}

async fn exported(memory: &LearnedMemory) -> String {
    let mut out = Vec::new();
    let lines = memory.export(&mut out).await.unwrap();
    assert_eq!(out.iter().filter(|byte| **byte == b'\n').count() as u64, lines);
    String::from_utf8(out).unwrap()
}

async fn attempts(memory: &LearnedMemory) -> u64 {
    memory.stats(&project()).await.unwrap().outcomes
}

async fn an_export_teaches_an_empty_memory_the_same_and_may_come_again(kind: Kind) {
    let (file, other, third) = (kind.home(), kind.home(), kind.home());
    let memory = ruled(&file).await;
    let export = exported(&memory).await;

    let empty = taught(&other, 0..0).await;
    for _ in 0..2 {
        empty.import(&mut export.as_bytes()).await.unwrap();
        assert_eq!(snapshot(&empty).await, snapshot(&memory).await);
        assert_eq!(exported(&empty).await, export);
    }
    let told = empty.stats(&project()).await.unwrap();
    assert_eq!((told.outcomes, told.workers, told.task_types, told.examples), (10, 2, 1, 15));

    let overlapping = taught(&third, 4..6).await;
    let before = exported(&overlapping).await;
    let error = overlapping.import(&mut export.as_bytes()).await.unwrap_err();
    assert!(matches!(error, MemoryError::Overlap { known: 1, of: 5 }), "{error}");
    assert_eq!(exported(&overlapping).await, before);
}

async fn two_imports_at_once_are_one(kind: Kind) {
    let (file, other) = (kind.home(), kind.home());
    let export = exported(&ruled(&file).await).await;
    let (one, two) = (taught(&other, 0..0).await, taught(&other, 0..0).await);
    let (mut first, mut second) = (export.as_bytes(), export.as_bytes());
    let (first, second) = tokio::join!(one.import(&mut first), two.import(&mut second));
    first.unwrap();
    second.unwrap();
    assert_eq!(exported(&one).await, export);
}

async fn an_import_beside_a_fold_counts_no_run_twice(kind: Kind) {
    let (file, other) = (kind.home(), kind.home());
    let export = exported(&taught(&file, 0..5).await).await;
    let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
    lesson(2).append_all(&*journal).await;
    let (importer, folder) = (other.memory(&journal).await, other.memory(&journal).await);
    let mut lines = export.as_bytes();
    let (imported, folded) = tokio::join!(importer.import(&mut lines), folder.fold(lesson(2).id()));
    match (imported, folded.unwrap()) {
        (Ok(_), false) => assert_eq!(attempts(&importer).await, 10),
        (Err(MemoryError::Overlap { known: 1, of: 5 }), true) => {
            assert_eq!(attempts(&importer).await, 2);
        }
        (imported, folded) => panic!("{imported:?} {folded}"),
    }
}

async fn what_was_cut_off_is_refused_and_leaves_room_for_the_whole(kind: Kind) {
    let (file, other) = (kind.home(), kind.home());
    let export = exported(&ruled(&file).await).await;
    let memory = taught(&other, 0..0).await;
    let nothing = exported(&memory).await;
    let lines: Vec<&str> = export.split_inclusive('\n').collect();
    for most in 0..lines.len() {
        let cut = lines[..most].concat();
        assert!(memory.import(&mut cut.as_bytes()).await.is_err(), "{most} lines");
    }
    let without_one = lines[..3].concat() + &lines[4..].concat();
    assert!(memory.import(&mut without_one.as_bytes()).await.is_err());
    let twice = export.clone() + &export;
    assert!(memory.import(&mut twice.as_bytes()).await.is_err());
    assert_eq!(exported(&memory).await, nothing);
    let of_no_run: String = lines.iter().filter(|line| !line.contains("folded")).copied().collect();
    let of_no_run =
        of_no_run.replace(&format!(":{}}}", lines.len() - 1), &format!(":{}}}", lines.len() - 6));
    let error = memory.import(&mut of_no_run.as_bytes()).await.unwrap_err();
    assert!(matches!(error, MemoryError::Corrupt { .. }), "{error}");
    assert_eq!(exported(&memory).await, nothing);
    memory.import(&mut export.as_bytes()).await.unwrap();
    assert_eq!(exported(&memory).await, export);
}

async fn decisions_and_opinions_come_with_runs_that_are_known(kind: Kind) {
    let (file, other) = (kind.home(), kind.home());
    let memory = ruled(&file).await;
    let export = exported(&memory).await;
    let knows = taught(&other, 0..5).await;
    knows.import(&mut export.as_bytes()).await.unwrap();
    assert_eq!(exported(&knows).await, export);

    // What was said here stays.
    knows.feedback(lesson(1).id(), 0.1, "no").await.unwrap();
    let rule = knows.rules(&project()).await.unwrap().remove(0).heuristic;
    knows.decide(&project(), &rule, Some(Verdict::Forbidden), "").await.unwrap();
    let before = exported(&knows).await;
    knows.import(&mut export.as_bytes()).await.unwrap();
    assert_eq!(exported(&knows).await, before);
}

async fn what_is_no_export_is_refused_with_its_line(kind: Kind) {
    let file = kind.home();
    let memory = taught(&file, 0..0).await;
    let head = r#"{"kind":"orch_memory","version":1}"#;
    for (text, expected) in [
        ("hello".to_owned(), "line 1 of"),
        (r#"{"kind":"orch_memory","version":2}"#.to_owned(), "line 1 of"),
        (format!("{head}\n{{\"kind\":\"folded\"}}"), "line 2 of"),
        (format!("{head}\n{{\"kind\":\"elephant\"}}"), "line 2 of"),
        (
            format!("{head}\n")
                + r#"{"kind":"worker","project":"p","task_type":"read","worker":"ann","stats":{"history":[[20000,1,2,0,0]]}}"#,
            "line 2 of",
        ),
    ] {
        let error = memory.import(&mut text.as_bytes()).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}
