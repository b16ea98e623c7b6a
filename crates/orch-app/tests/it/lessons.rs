//! What workers learn, from their hands through the engine and the store into the hands of others.

use std::path::Path;
use std::sync::Arc;

use orch_core::{
    ComplexTask, DecompositionPlan, LessonError, MemoryScope, ProjectId, RunSettings, Scopes,
    Subtask, Worker, WorkerCapability,
};
use orch_memory::{LearnedMemory, SqliteJournal, SqliteOptions};
use orch_supervisor::{SubmitOptions, Supervisor, worker_fn};
use serde_json::{Value, json};

fn scope(agent: &str) -> MemoryScope {
    MemoryScope::new(agent)
}

fn only(word: &str) -> Vec<String> {
    vec![word.to_owned()]
}

fn scopes() -> [MemoryScope; 3] {
    [
        scope("ann").with_share_with(only("bob")),
        scope("bob").with_inherit_from(only("ann")),
        scope("eve").with_cannot_learn(only("explore")),
    ]
}

/// A worker that learns what its subtask's context tells it to, and returns what was refused, what it finds in memory, and what
/// it was given.
fn explorer(scope: MemoryScope) -> impl Worker + use<> {
    let name = scope.agent_name.clone();
    worker_fn(name, [WorkerCapability::new("explore", ["explore"])], |ctx| async move {
        let memory = ctx.memory.unwrap();
        let lessons = ctx.subtask.context.get("learn").and_then(Value::as_array).cloned();
        let refused: Vec<String> = lessons
            .unwrap_or_default()
            .iter()
            .filter_map(|lesson| memory.learn(lesson.as_str().unwrap()).err())
            .map(|error: LessonError| error.to_string())
            .collect();
        let found = match memory.retrieve("the cellar", 200).await {
            Ok(slice) => json!(slice.domain_knowledge),
            Err(error) => json!(error.to_string()),
        };
        let given = ctx.memory_slice.map(|slice| slice.domain_knowledge);
        Ok(json!({ "refused": refused, "found": found, "given": given }))
    })
    .with_scope(scope)
    .with_memory_tokens(200)
}

/// A supervisor as a new process would make it.
async fn supervisor(folder: &Path) -> (Supervisor, Arc<LearnedMemory>) {
    let file = folder.join("orch.db");
    let journal = Arc::new(SqliteJournal::open(&file, SqliteOptions::new()).await.unwrap());
    let memory =
        LearnedMemory::sqlite(&file, &SqliteOptions::new(), journal.clone()).await.unwrap();
    let memory = Arc::new(memory.with_scopes(Scopes::new(scope("boss"), scopes())));
    let [ann, bob, eve] = scopes().map(explorer);
    let builder = Supervisor::builder().scope(scope("boss")).journal(journal);
    let builder = builder.memory(memory.clone()).worker(ann).worker(bob).worker(eve);
    (builder.build(), memory)
}

/// Lets a worker explore in a process of its own, and returns what it says.
async fn explore(folder: &Path, worker: &str, learn: &[&str]) -> Value {
    let (supervisor, memory) = supervisor(folder).await;
    let mut subtask = Subtask::new("a", "Explore the cellar", "explore");
    subtask.context.insert("learn".to_owned(), json!(learn));
    let subtask = subtask.with_constraints(
        serde_json::from_value::<orch_core::Constraints>(json!({ "require_worker": worker })).ok(),
    );
    let settings = RunSettings::default().with_project("house");
    let options = SubmitOptions::new().plan(DecompositionPlan::new([subtask])).settings(settings);
    let task = ComplexTask::new("t", "Explore the house", "house");
    let run = supervisor.submit_with(task, options).await.unwrap();
    let result = supervisor.wait(run).await.unwrap();
    supervisor.shutdown(std::time::Duration::ZERO).await;
    // What the supervisor has not told memory before it ended is learned here; what it has is not learned again.
    memory.catch_up(&ProjectId::new("house")).await.unwrap();
    assert_eq!(memory.catch_up(&ProjectId::new("house")).await.unwrap(), 0);
    result.subtask_results[0].output.clone()
}

#[tokio::test]
async fn a_lesson_reaches_those_who_may_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let lessons = ["The attic is dusty", "The cellar is locked"];
    let ann = explore(folder.path(), "ann", &lessons).await;
    assert_eq!(
        ann,
        json!({ "refused": [], "found": [], "given": [] }),
        "not before it is accepted"
    );

    let found = ["`ann`: The cellar is locked", "`ann`: The attic is dusty"];
    let bob = explore(folder.path(), "bob", &[]).await;
    assert_eq!(bob, json!({ "refused": [], "found": found, "given": found }));
    let found = ["The cellar is locked", "The attic is dusty"];
    let ann = explore(folder.path(), "ann", &["The cellar is locked"]).await;
    assert_eq!(ann, json!({ "refused": [], "found": found, "given": found }), "each once");
    let ann = explore(folder.path(), "ann", &[]).await;
    assert_eq!(ann["found"], json!(found), "also after it was learned again");
}

#[tokio::test]
async fn a_lesson_that_is_refused_is_an_error_at_once_and_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let eve = explore(folder.path(), "eve", &["The cellar is locked"]).await;
    let rule = "`eve` may not learn about `explore`: `cannot_learn` of its scope names it";
    assert_eq!(eve, json!({ "refused": [rule], "found": rule, "given": null }));
    let long = "x".repeat(401);
    let mut many = vec!["", &long];
    many.extend(["1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    let bob = explore(folder.path(), "bob", &many).await;
    assert_eq!(
        bob["refused"],
        json!([
            "the lesson is empty",
            "the lesson has 401 characters, and may have 400",
            "there are more than 8 lessons in one result"
        ])
    );
    let bob = explore(folder.path(), "bob", &[]).await;
    assert_eq!(bob["found"], json!(["8", "7", "6", "5", "4", "3", "2", "1"]));
}
