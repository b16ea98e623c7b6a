//! What ALMA is told of runs: rows in its own tables, each once, in its file as ALMA 0.11 makes it.

use std::path::Path;
use std::sync::Arc;

use orch_core::journal::MemoryJournal;
use orch_core::{Cause, Journal, MemoryScope, ProjectId, Scopes};
use orch_memory::{Alma, LearnedMemory};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::lesson::{Lesson, done, failed};
use crate::support::{assert_sound, execute, quick, raw, text};

/// The tables that are written to.
const TABLES: &str = "
CREATE TABLE outcomes (id TEXT PRIMARY KEY, agent TEXT NOT NULL, project_id TEXT NOT NULL, task_type TEXT,
    task_description TEXT NOT NULL, success INTEGER DEFAULT 0, strategy_used TEXT, duration_ms INTEGER, error_message TEXT,
    user_feedback TEXT, timestamp TEXT, metadata TEXT);
CREATE TABLE workflow_outcomes (id TEXT PRIMARY KEY, tenant_id TEXT, workflow_id TEXT NOT NULL, run_id TEXT NOT NULL,
    agent TEXT NOT NULL, project_id TEXT NOT NULL, result TEXT NOT NULL, summary TEXT, strategies_used TEXT,
    successful_patterns TEXT, failed_patterns TEXT, extracted_heuristics TEXT, extracted_anti_patterns TEXT,
    duration_seconds REAL, node_count INTEGER, error_message TEXT, metadata TEXT, created_at TEXT NOT NULL);
CREATE TABLE embeddings (id INTEGER PRIMARY KEY AUTOINCREMENT, memory_type TEXT NOT NULL, memory_id TEXT NOT NULL,
    embedding BLOB NOT NULL, UNIQUE(memory_type, memory_id));
";

/// All rows, in words.
const OUTCOMES: &str = "SELECT coalesce(group_concat(agent || ' ' || task_type || ' ' || success || ' ' || coalesce(error_message, '-') \
     || ' ' || task_description || ' ' || strategy_used, '; ' ORDER BY timestamp), '') FROM outcomes WHERE project_id = 'shop'";

/// A project with ALMA's file, and memory that has learned nothing yet.
struct World {
    folder: TempDir,
    journal: Arc<dyn Journal>,
}

impl World {
    async fn new() -> Self {
        let world =
            Self { folder: tempfile::tempdir().unwrap(), journal: Arc::new(MemoryJournal::new()) };
        execute(&mut raw(world.file()).await, TABLES).await;
        world
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("alma.db")
    }

    async fn memory(&self, dimension: Option<u32>) -> LearnedMemory {
        let own = self.folder.path().join("orch.db");
        let memory = LearnedMemory::sqlite(own, &quick(), self.journal.clone()).await.unwrap();
        memory.with_alma("p".into(), Alma::sqlite(self.file(), "shop").with_writing(dimension))
    }

    async fn says(&self, sql: &str) -> String {
        text(&mut raw(self.file()).await, sql).await
    }

    async fn count(&self, table: &str) -> String {
        self.says(&format!("SELECT CAST(count(*) AS TEXT) FROM {table}")).await
    }
}

fn lesson(number: u32) -> Lesson {
    Lesson::new(
        number,
        "Test the shop",
        [
            done("forms", "ann", 7),
            failed("forms", "bob", Cause::Crash),
            failed("forms", "bob", Cause::Cancelled),
        ],
    )
}

#[tokio::test]
async fn a_run_that_is_over_is_told_once() {
    let world = World::new().await;
    let memory = world.memory(Some(8)).await;
    let lesson = lesson(1);
    lesson.append(&*world.journal, 0, 5).await;
    memory.fold(lesson.id()).await.unwrap();
    assert_eq!(world.count("outcomes").await, "0", "it is not over");

    lesson.append(&*world.journal, 5, usize::MAX).await;
    for _ in 0..2 {
        memory.fold(lesson.id()).await.unwrap();
        world.memory(Some(8)).await.catch_up(&ProjectId::new("p")).await.unwrap();
    }
    let expected = "ann orch:forms 1 - Test the shop part 0 as a part of: Test the shop; \
                    bob orch:forms 0 - Test the shop part 1 as a part of: Test the shop";
    assert_eq!(world.says(OUTCOMES).await, expected, "who was cancelled did nothing wrong");
    let note: Value = serde_json::from_str(
        &world.says("SELECT metadata FROM outcomes WHERE agent = 'bob'").await,
    )
    .unwrap();
    let about = &note["orchestration"];
    assert_eq!((&about["run_id"], &about["subtask_id"]), (&json!(lesson.id()), &json!("s1")));
    assert_eq!((&about["task_type"], &about["cause"]), (&json!("forms"), &json!("crash")));
    assert!(about["error"].is_string(), "{note}");
    let of_run = "SELECT run_id || ' ' || workflow_id || ' ' || agent || ' ' || result || ' ' || node_count || ' ' \
                  || strategies_used || ' ' || summary FROM workflow_outcomes";
    let expected = format!(
        "{} audit supervisor failure 3 [] Test the shop: 1 of 3 subtasks done",
        lesson.id()
    );
    assert_eq!(world.says(of_run).await, expected);
    assert_eq!(
        world.says("SELECT min(length(embedding)) || ' ' || count(*) FROM embeddings").await,
        "32 2"
    );
    let written = memory.alma().unwrap().written().await.unwrap().unwrap();
    assert_eq!((written.outcomes, written.vectors), (2, 2));
    assert_eq!(world.says("PRAGMA journal_mode").await, "delete", "the file stays what it is");
    assert_sound(&mut raw(world.file()).await).await;
}

#[tokio::test]
async fn a_crash_between_alma_and_memory_tells_nothing_twice() {
    let world = World::new().await;
    lesson(1).append_all(&*world.journal).await;
    world.memory(None).await.fold(lesson(1).id()).await.unwrap();
    // What a process that was killed after it had told ALMA has left.
    for file in ["orch.db", "orch.db-wal", "orch.db-shm"] {
        let _ = std::fs::remove_file(world.folder.path().join(file));
    }
    assert!(world.memory(None).await.fold(lesson(1).id()).await.unwrap());
    assert_eq!(
        (world.count("outcomes").await, world.count("workflow_outcomes").await),
        ("2".into(), "1".into())
    );
}

#[tokio::test]
async fn vectors_are_written_only_where_all_have_their_length() {
    for (dimension, before, expected) in [
        (None, "", "0"),
        (Some(8), "", "2"),
        (Some(8), "INSERT INTO embeddings VALUES (1, 'outcomes', 'x', zeroblob(32))", "3"),
        (Some(8), "INSERT INTO embeddings VALUES (1, 'outcomes', 'x', zeroblob(36))", "1"),
        (Some(8), "INSERT INTO embeddings VALUES (1, 'elsewhere', 'x', zeroblob(36))", "3"),
    ] {
        let world = World::new().await;
        execute(&mut raw(world.file()).await, before).await;
        lesson(1).append_all(&*world.journal).await;
        world.memory(dimension).await.fold(lesson(1).id()).await.unwrap();
        assert_eq!(world.count("embeddings").await, expected, "{dimension:?} {before}");
        assert_eq!(world.count("outcomes").await, "2");
    }
}

#[tokio::test]
async fn what_alma_does_not_take_is_learned_all_the_same() {
    for damage in
        ["DROP TABLE workflow_outcomes", "ALTER TABLE outcomes RENAME COLUMN agent TO who"]
    {
        let world = World::new().await;
        execute(&mut raw(world.file()).await, damage).await;
        lesson(1).append_all(&*world.journal).await;
        assert!(world.memory(Some(8)).await.fold(lesson(1).id()).await.unwrap());
        let both = (world.count("outcomes").await, world.count("embeddings").await);
        assert_eq!(both, ("0".into(), "0".into()), "all or nothing: {damage}");
    }
    let world = World::new().await;
    std::fs::remove_file(world.file()).unwrap();
    lesson(1).append_all(&*world.journal).await;
    let memory = world.memory(Some(8)).await;
    assert!(memory.fold(lesson(1).id()).await.unwrap());
    assert!(!world.file().exists(), "ALMA's file is ALMA's to make");
    assert_eq!(memory.alma().unwrap().written().await.unwrap().unwrap().outcomes, 0);
}

#[tokio::test]
async fn while_alma_writes_for_too_long_runs_are_learned_and_told_later() {
    let world = World::new().await;
    let memory = world.memory(None).await;
    for (number, told) in [(1, "4"), (3, "8")] {
        lesson(number).append_all(&*world.journal).await;
        let mut conn = raw(world.file()).await;
        execute(&mut conn, "BEGIN IMMEDIATE").await;
        assert!(memory.fold(lesson(number).id()).await.unwrap());
        execute(&mut conn, "COMMIT").await;
        // The next run that ends tells of the one before; so does a process that starts.
        lesson(number + 1).append_all(&*world.journal).await;
        if number == 1 {
            memory.fold(lesson(2).id()).await.unwrap();
        } else {
            world.memory(None).await.catch_up(&ProjectId::new("p")).await.unwrap();
        }
        assert_eq!(world.count("outcomes").await, told);
    }
    assert!(!memory.fold(lesson(1).id()).await.unwrap(), "it was learned at once");
    let own = world.folder.path().join("orch.db");
    let left = text(&mut raw(own).await, "SELECT CAST(count(*) AS TEXT) FROM orch_untold").await;
    assert_eq!(left, "0", "all were told");
}

#[tokio::test]
async fn what_a_scope_forbids_and_what_is_another_projects_is_not_told() {
    let world = World::new().await;
    lesson(1).append_all(&*world.journal).await;
    let scopes = Scopes::new(
        MemoryScope::new("supervisor").with_cannot_learn(vec!["audit".to_owned()]),
        [MemoryScope::new("bob").with_cannot_learn(vec!["forms".to_owned()])],
    );
    let memory = world.memory(None).await.with_scopes(scopes);
    memory.fold(lesson(1).id()).await.unwrap();
    assert!(world.says(OUTCOMES).await.starts_with("ann orch:forms 1"));
    assert_eq!(
        (world.count("outcomes").await, world.count("workflow_outcomes").await),
        ("1".into(), "0".into())
    );

    let other = World::new().await;
    lesson(1).append_all(&*other.journal).await;
    let own = other.folder.path().join("orch.db");
    let memory = LearnedMemory::sqlite(own, &quick(), other.journal.clone()).await.unwrap();
    let alma = Alma::sqlite(other.file(), "shop").with_writing(None);
    memory.with_alma("another".into(), alma).fold(lesson(1).id()).await.unwrap();
    assert_eq!(other.count("outcomes").await, "0");
}

#[tokio::test]
async fn json_files_are_not_written() {
    let world = World::new().await;
    lesson(1).append_all(&*world.journal).await;
    let folder: &Path = &world.folder.path().join("files");
    std::fs::create_dir(folder).unwrap();
    let own = world.folder.path().join("orch.db");
    let memory = LearnedMemory::sqlite(own, &quick(), world.journal.clone()).await.unwrap();
    let memory = memory.with_alma("p".into(), Alma::files(folder, "shop").with_writing(Some(8)));
    assert!(memory.fold(lesson(1).id()).await.unwrap());
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
    assert_eq!(memory.alma().unwrap().written().await.unwrap(), None);
}
