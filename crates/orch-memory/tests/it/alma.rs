//! What ALMA knows in what workers are told: its SQLite file and its JSON files, as ALMA 0.11 writes them.

use std::path::Path;
use std::sync::Arc;

use orch_core::journal::MemoryJournal;
use orch_core::{Memory, MemoryScope, MemorySlice, ProjectId, Scopes, Subtask, WorkerName};
use orch_memory::{Alma, LearnedMemory};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{assert_sound, execute, quick, raw, text};

/// ALMA's tables, with the columns that matter.
const TABLES: &str = "
CREATE TABLE heuristics (id TEXT PRIMARY KEY, agent TEXT NOT NULL, project_id TEXT NOT NULL, condition TEXT NOT NULL,
    strategy TEXT NOT NULL, confidence REAL DEFAULT 0.0, created_at TEXT, metadata TEXT);
CREATE TABLE outcomes (id TEXT PRIMARY KEY, agent TEXT NOT NULL, project_id TEXT NOT NULL, task_type TEXT,
    task_description TEXT NOT NULL, success INTEGER DEFAULT 0, strategy_used TEXT, error_message TEXT, timestamp TEXT, metadata TEXT);
CREATE TABLE preferences (id TEXT PRIMARY KEY, user_id TEXT NOT NULL, preference TEXT NOT NULL, confidence REAL,
    timestamp TEXT, metadata TEXT);
CREATE TABLE domain_knowledge (id TEXT PRIMARY KEY, agent TEXT NOT NULL, project_id TEXT NOT NULL, domain TEXT,
    fact TEXT NOT NULL, confidence REAL, last_verified TEXT, metadata TEXT);
CREATE TABLE anti_patterns (id TEXT PRIMARY KEY, agent TEXT NOT NULL, project_id TEXT NOT NULL, pattern TEXT NOT NULL,
    why_bad TEXT, better_alternative TEXT, last_seen TEXT, metadata TEXT);
";

/// What ALMA has learned, by table. `bob` is another agent, `other` another project.
fn learned() -> Vec<(&'static str, Vec<Value>)> {
    let rule = |agent: &str, project: &str, condition: &str, strategy: &str, confidence: f64| {
        json!({ "agent": agent, "project_id": project, "condition": condition, "strategy": strategy,
            "confidence": confidence, "created_at": "2026-01-01T00:00:00+00:00" })
    };
    let outcome = |agent: &str, task_type: Value, task: &str, success: bool, error: Value| {
        json!({ "agent": agent, "project_id": "shop", "task_type": task_type, "task_description": task,
            "success": success, "strategy_used": "by hand", "error_message": error,
            "timestamp": "2026-01-01T00:00:00+00:00" })
    };
    let fact = |agent: &str, domain: &str, fact: &str| {
        json!({ "agent": agent, "project_id": "shop", "domain": domain, "fact": fact, "confidence": 0.8,
            "last_verified": "2026-01-01T00:00:00+00:00" })
    };
    let bad = |pattern: &str, better: &str| {
        json!({ "agent": "ann", "project_id": "shop", "pattern": pattern, "why_bad": "it times out",
            "better_alternative": better, "last_seen": "2026-01-01T00:00:00+00:00" })
    };
    vec![
        (
            "heuristics",
            vec![
                rule("ann", "shop", "task type: forms", "fill, then submit", 0.5),
                rule("ann", "shop", "task type: forms", "fill, then submit", 1.0),
                rule("ann", "shop", "task type: forms", "read the form first", 1.0),
                rule("ann", "shop", "task type: colours", "test the form in red", 1.0),
                rule("ann", "shop", "forms with a captcha", "ask", 1.0),
                rule("ann", "shop", "gardens", "water them", 1.0),
                rule("ann", "other", "task type: forms", "not ours", 1.0),
                rule("bob", "shop", "task type: forms", "not hers", 1.0),
            ],
        ),
        (
            "outcomes",
            vec![
                outcome("ann", json!("forms"), "test the login form", true, Value::Null),
                outcome("ann", json!("forms"), "test a search form", false, json!("no results")),
                outcome("ann", json!("forms"), "water plants", true, Value::Null),
                outcome("ann", json!("colours"), "test the login form in red", true, Value::Null),
                outcome("ann", Value::Null, "test the login form of no type", true, Value::Null),
                outcome("bob", json!("forms"), "test the login form too", true, Value::Null),
            ],
        ),
        (
            "preferences",
            vec![
                json!({ "user_id": "u", "preference": "Short answers.", "confidence": 1.0, "timestamp": "2026" }),
            ],
        ),
        (
            "domain_knowledge",
            vec![
                fact("ann", "shop", "the login form has a captcha"),
                fact("ann", "general", "a form is a form"),
                fact("ann", "gardens", "roses are red"),
                fact("bob", "shop", "the login form is blue"),
            ],
        ),
        (
            "anti_patterns",
            vec![
                bad("press the login button twice", "[To be determined from successful outcomes]"),
                bad("submit an empty form", "fill it"),
                bad("water at noon", "at night"),
            ],
        ),
    ]
}

/// What ann is to be told about `test the login form`, of type `forms`.
fn told() -> MemorySlice {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    MemorySlice::new()
        .with_heuristics(texts(&[
            "task type: forms: read the form first",
            "task type: forms: fill, then submit",
        ]))
        .with_outcomes(texts(&[
            "Succeeded: test the login form (by hand)",
            "Failed: test a search form (by hand): no results",
        ]))
        .with_preferences(texts(&["Short answers."]))
        .with_domain_knowledge(texts(&["shop: the login form has a captcha", "a form is a form"]))
        .with_anti_patterns(texts(&[
            "press the login button twice: it times out",
            "submit an empty form: it times out; better: fill it",
        ]))
}

/// Writes what ALMA has learned as its storage `sqlite` does.
async fn write_sqlite(file: &Path) {
    let mut conn = raw(file).await;
    execute(&mut conn, TABLES).await;
    for (table, rows) in learned() {
        for (id, row) in rows.iter().enumerate() {
            let fields = row.as_object().unwrap();
            let names: Vec<&str> = fields.keys().map(String::as_str).collect();
            let values = fields.values().map(|value| match value {
                Value::String(text) => format!("'{text}'"),
                Value::Bool(flag) => u8::from(*flag).to_string(),
                Value::Null => "NULL".to_owned(),
                Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
            });
            let values: Vec<String> = values.collect();
            let (names, values) = (names.join(", "), values.join(", "));
            execute(
                &mut conn,
                format!("INSERT INTO {table} (id, {names}) VALUES ('{id}', {values})"),
            )
            .await;
        }
    }
}

/// Writes what ALMA has learned as its storage `file` does.
fn write_files(folder: &Path) {
    for (table, rows) in learned() {
        std::fs::write(folder.join(table).with_extension("json"), json!(rows).to_string()).unwrap();
    }
}

/// Asks a memory that has learned nothing itself, beside ALMA, what ann is to be told in a project.
async fn ask(folder: &TempDir, alma: Alma, project: &str, max_tokens: u32) -> MemorySlice {
    let journal = Arc::new(MemoryJournal::new());
    let file = folder.path().join("orch.db");
    let memory = LearnedMemory::sqlite(file, &quick(), journal).await.unwrap();
    let memory = memory.with_alma("p".into(), alma);
    let subtask = Subtask::new("s", "test the login form", "forms");
    memory
        .slice(&ProjectId::new(project), &WorkerName::new("ann"), &subtask, max_tokens)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_worker_is_told_what_alma_knows_of_its_own_tasks() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("alma.db");
    write_sqlite(&file).await;
    write_files(folder.path());
    let sqlite = || Alma::sqlite(&file, "shop");
    assert_eq!(ask(&folder, sqlite(), "p", 10_000).await, told());
    assert_eq!(ask(&folder, Alma::files(folder.path(), "shop"), "p", 10_000).await, told());

    assert_eq!(ask(&folder, sqlite(), "another", 10_000).await, MemorySlice::new());
    let short = ask(&folder, sqlite(), "p", 60).await;
    assert!(short.estimated_tokens() <= 60 && !short.anti_patterns.is_empty(), "{short:?}");
    let mut conn = raw(&file).await;
    assert_eq!(text(&mut conn, "PRAGMA journal_mode").await, "delete", "reading changes nothing");
}

#[tokio::test]
async fn facts_of_a_domain_that_the_worker_or_whose_they_are_may_not_know_are_not_told() {
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path());
    let list = |word: &str| vec![word.to_owned()];
    let ann = || MemoryScope::new("ann").with_inherit_from(list("bob"));
    let bob = || MemoryScope::new("bob").with_share_with(list("ann"));
    let (ours, any, his) =
        ("shop: the login form has a captcha", "a form is a form", "shop: the login form is blue");
    for (ann, bob, expected) in [
        (ann(), bob(), &[ours, his, any][..]),
        (ann(), bob().with_cannot_learn(list("shop")), &[ours, any]),
        (ann().with_cannot_learn(list("shop")), bob(), &[any]),
        (ann().with_can_learn(list("forms")), bob(), &[any]),
    ] {
        let journal = Arc::new(MemoryJournal::new());
        let file = folder.path().join("orch.db");
        let memory = LearnedMemory::sqlite(file, &quick(), journal).await.unwrap();
        let memory = memory
            .with_scopes(Scopes::new(MemoryScope::new("boss"), [ann, bob]))
            .with_alma("p".into(), Alma::files(folder.path(), "shop"));
        let subtask = Subtask::new("s", "test the login form", "forms");
        let slice = memory.slice(&ProjectId::new("p"), &"ann".into(), &subtask, 10_000).await;
        let mut known = slice.unwrap().domain_knowledge;
        known.sort();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(known, expected);
    }
}

#[tokio::test]
async fn what_alma_has_learned_since_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("alma.db");
    let (sqlite, files) = (Alma::sqlite(&file, "shop"), Alma::files(folder.path(), "shop"));
    let journal = Arc::new(MemoryJournal::new());
    let subtask = Subtask::new("s", "test the login form", "forms");
    for (name, alma) in [("a.db", sqlite), ("b.db", files)] {
        let (own, options) = (folder.path().join(name), quick());
        let memory = LearnedMemory::sqlite(own, &options, journal.clone()).await.unwrap();
        let memory = memory.with_alma("p".into(), alma);
        let (project, ann) = (ProjectId::new("p"), WorkerName::new("ann"));
        let ask = || memory.slice(&project, &ann, &subtask, 10_000);
        assert_eq!(ask().await.unwrap(), MemorySlice::new(), "nothing is there yet");
        match name {
            "a.db" => write_sqlite(&file).await,
            _ => write_files(folder.path()),
        }
        assert_eq!(ask().await.unwrap(), told());
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_not_told_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("alma.db");
    for damaged in ["not a database, but longer than a header would have to be for SQLite", ""] {
        std::fs::write(&file, damaged).unwrap();
        assert_eq!(ask(&folder, Alma::sqlite(&file, "shop"), "p", 999).await, MemorySlice::new());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), damaged);
    }
    std::fs::remove_file(&file).unwrap();
    let mut conn = raw(&file).await;
    execute(&mut conn, "CREATE TABLE heuristics (id TEXT, rule TEXT)").await;
    assert_eq!(ask(&folder, Alma::sqlite(&file, "shop"), "p", 999).await, MemorySlice::new());
    assert_sound(&mut conn).await;

    for damaged in ["[{", "{}", ""] {
        write_files(folder.path());
        std::fs::write(folder.path().join("outcomes.json"), damaged).unwrap();
        let files = Alma::files(folder.path(), "shop");
        assert_eq!(ask(&folder, files, "p", 999).await, MemorySlice::new(), "{damaged:?}");
    }
    let rows = json!([1, { "agent": 5 }, { "agent": "ann", "project_id": "shop", "pattern": "a login twice" }]);
    std::fs::write(folder.path().join("outcomes.json"), "[]").unwrap();
    std::fs::write(folder.path().join("anti_patterns.json"), rows.to_string()).unwrap();
    let slice = ask(&folder, Alma::files(folder.path(), "shop"), "p", 999).await;
    assert_eq!(
        slice.anti_patterns,
        ["a login twice"],
        "what is wrong with one row is no other's fault"
    );
}
