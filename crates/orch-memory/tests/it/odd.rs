//! Runs that cannot be learned from, or not wholly: they keep nobody from learning from the others.

use std::sync::Arc;

use orch_core::journal::MemoryJournal;
use orch_core::{ComplexTask, Journal, Memory, MemorySlice, ProjectId, Subtask};
use orch_memory::MemoryError;

use crate::lesson::{Lesson, Try, done};
use crate::support::{Home, Kind, TempFile, execute, on_both, open, raw};

on_both! {
    what_a_database_does_not_take_is_not_learned,
}

/// Four runs, of which the last is as any other.
fn lessons() -> [Lesson; 4] {
    let long: String = (0..6_000_u32).map(|n| char::from(b'a' + (n * n % 23) as u8)).collect();
    let of_type = |number, task_type: &str| {
        let said = Try { lesson: Some("a lesson".to_owned()), ..done(task_type, "ann", 1) };
        let tries = [said, done("read", "ann", 1)];
        let text = "Read the \0 file".to_owned();
        Lesson { text, task_type: task_type.to_owned(), ..Lesson::new(number, "", tries) }
    };
    let plain = Lesson::new(4, "Read the file", [done("read", "ann", 1)]);
    [of_type(1, &long), of_type(2, "a\0b"), of_type(3, "audit"), plain]
}

async fn what_a_database_does_not_take_is_not_learned(kind: Kind) {
    let home = kind.home();
    let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::new());
    let memory = home.memory(&journal).await;
    for lesson in lessons() {
        lesson.append_all(&*journal).await;
    }
    let project = ProjectId::new("p");
    assert_eq!(memory.catch_up(&project).await.unwrap(), 4);
    let task = ComplexTask::new("t", "Read the \0 file", "audit");
    let learned = memory.snapshot(&project, &task).await.unwrap().learned;
    let texts = learned.similar.iter().map(|(_, past)| past.outcome.task_description.as_str());
    assert_eq!(texts.collect::<Vec<_>>(), ["Read the file", "Read the   file"]);
    let types: Vec<&str> = learned.workers.keys().map(AsRef::as_ref).collect();
    assert_eq!(types, ["audit", "read"]);
    assert_eq!(learned.of(&"ann".into(), "read").unwrap().attempts, 4);
    for lesson in &lessons()[..2] {
        let task = ComplexTask::new("t", "Read the file", lesson.task_type.clone());
        let learned = memory.snapshot(&project, &task).await.unwrap().learned;
        assert!(learned.similar.is_empty() && learned.decomposition.is_empty());
        assert_eq!(learned.workers.len(), 2, "how workers did is known of any task");
        let subtask = Subtask::new("s", "Read the file", lesson.task_type.clone());
        let slice = memory.slice(&project, &"ann".into(), &subtask, 2_000).await.unwrap();
        assert_eq!(slice, MemorySlice::new());
    }
}

#[tokio::test]
async fn a_damaged_run_is_named_and_the_others_are_learned() {
    let (file, home) = (TempFile::new(), Home::File(TempFile::new()));
    let journal: Arc<dyn Journal> = Arc::new(open(&file).await);
    let [_, _, damaged, plain] = lessons();
    for lesson in [&damaged, &plain] {
        lesson.append_all(&*journal).await;
    }
    let memory = home.memory(&journal).await;
    let damage = format!(
        "UPDATE orch_events SET body = '{{' WHERE seq = 2 AND run = (SELECT id FROM orch_runs WHERE run = '{}')",
        damaged.id()
    );
    execute(&mut raw(&file).await, damage).await;
    let project = ProjectId::new("p");
    for _ in 0..2 {
        let error = memory.catch_up(&project).await.unwrap_err();
        assert!(
            matches!(error, MemoryError::Journal { run, .. } if run == damaged.id()),
            "{error}"
        );
        let task = ComplexTask::new("t", "Read the file", "audit");
        assert_eq!(memory.snapshot(&project, &task).await.unwrap().learned.similar.len(), 1);
    }
}
