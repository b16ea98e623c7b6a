//! Wiring, and what is checked before a run.

use orch_app::{
    Access, AppError, ProjectLocation, RunAnnotation, TaskFile, Workers, check, open_memory,
    open_store, supervisor,
};
use orch_core::{JsonMap, Memory, RunSettings};

use crate::{config, folder, issues, load};

const WORKERS: &str = r#"
limits: { process_cap: 2 }
workers:
  greeter: { command: [echo, "Hello {{ subtask.context.name }}"], capabilities: [{ name: greet, task_types: [greet] }] }
  person: { pull: true, capabilities: [{ name: ask, task_types: [ask] }] }
"#;

fn task(text: &str) -> TaskFile {
    let folder = folder(&[("task.yaml", text)]);
    TaskFile::load(&folder.path().join("task.yaml"), &[]).unwrap()
}

#[test]
fn what_cannot_work_is_said_before_the_run() {
    let config = config(WORKERS);
    let workers = Workers::new(&config).unwrap();
    assert_eq!(workers.all().len(), 2);
    let settings = config.settings();
    for (subtasks, expected) in [
        (
            "{ id: a, task_type: greet, description: x, context: { nam: Ann } }",
            "worker `greeter` cannot do it: command[1]: `subtask.context.name` is missing, did you mean `subtask.context.nam`?",
        ),
        (
            "{ id: a, task_type: greet, description: x, dependencies: [a], context: { name: Ann } }",
            "subtask `a` depends on itself; drop that dependency",
        ),
    ] {
        let task = task(&format!("description: x\nsubtasks: [{subtasks}]\n"));
        let said = issues(check(&config, &workers, &task, &settings));
        assert!(
            said.len() == 1 && said[0].starts_with(expected.split(", did").next().unwrap()),
            "{said:?}"
        );
    }
    let excluded = task(
        "description: x\nconstraints: { exclude_workers: [greeter] }\nsubtasks: [{ id: a, task_type: greet, description: x }]\n",
    );
    assert!(issues(check(&config, &workers, &excluded, &settings))[0].contains("exclude them"));
    let nobody = TaskFile::of_description("Paint", &[]).unwrap();
    assert!(matches!(check(&config, &workers, &nobody, &settings), Err(AppError::Plan(_))));
    assert!(
        issues(check(&config, &Workers::default(), &nobody, &settings))[0]
            .contains("there are none")
    );
}

#[test]
fn workers_that_cannot_work_for_anything_are_all_named() {
    let bad = config(
        "workers:\n  a: { command: [''], capabilities: [{ name: x, task_types: [x] }] }\n  b: { command: [x, '{{ y }}'], capabilities: [{ name: x, task_types: [x] }] }\n",
    );
    let said = issues(Workers::new(&bad).map(|_| ()));
    assert_eq!(said.len(), 2, "{said:?}");
}

#[tokio::test]
async fn a_store_is_made_only_when_it_may_be() {
    let folder = folder(&[("orch.yaml", WORKERS)]);
    let config = crate::load(folder.path()).unwrap();
    for access in [Access::Read, Access::Existing] {
        assert!(matches!(open_store(&config, access).await, Err(AppError::NoStore { .. })));
    }
    open_store(&config, Access::Create).await.unwrap().close().await;
    for access in [Access::Read, Access::Existing] {
        open_store(&config, access).await.unwrap().close().await;
    }
    std::fs::write(
        folder.path().join(".orch/orch.db"),
        "this is no database, whatever its name says",
    )
    .unwrap();
    assert!(matches!(open_store(&config, Access::Existing).await, Err(AppError::Store(_))));
}

#[tokio::test]
async fn the_second_run_knows_the_first() {
    let folder = folder(&[("orch.yaml", WORKERS)]);
    let config = crate::load(folder.path()).unwrap();
    let workers = Workers::new(&config).unwrap();
    let task = task(
        "description: Greet Ann\ntask_type: hello\nsubtasks: [{ id: a, task_type: greet, description: x, context: { name: Ann } }]\n",
    );
    for known in [0, 1] {
        let store = open_store(&config, Access::Create).await.unwrap();
        let memory = open_memory(&config, store.clone(), Access::Create).await.unwrap().unwrap();
        let seen = memory.snapshot(&config.settings().project, &task.task).await.unwrap().learned;
        assert_eq!(seen.similar.len(), known);
        let greeter = seen.of(&"greeter".into(), "greet");
        let durations = greeter.and_then(|summary| summary.duration_ms);
        assert_eq!(durations.map_or(0, |durations| durations.seen), known as u64);

        let supervisor = supervisor(&config, &workers, store, Some(memory), "test");
        let settings = task.settings(config.settings());
        let run = supervisor.submit_with(task.task.clone(), task.options(settings)).await.unwrap();
        assert!(supervisor.wait(run).await.unwrap().success);
    }
}

#[tokio::test]
async fn where_nothing_was_ever_learned_there_is_nothing_to_read() {
    let folder = folder(&[("orch.yaml", WORKERS)]);
    let config = crate::load(folder.path()).unwrap();
    let store = open_store(&config, Access::Create).await.unwrap();
    assert!(open_memory(&config, store.clone(), Access::Read).await.unwrap().is_none());
    assert!(open_memory(&config, store, Access::Create).await.unwrap().is_some());
}

#[tokio::test]
async fn a_run_keeps_the_note_of_where_it_came_from() {
    let folder = folder(&[("orch.yaml", WORKERS)]);
    let config = crate::load(folder.path()).unwrap();
    let workers = Workers::new(&config).unwrap();
    let task = task(
        "description: x\nshow: [/a]\nsubtasks: [{ id: a, task_type: greet, description: x, context: { name: Ann } }]\n",
    );
    let note = RunAnnotation::new(&config, &task);
    let store = open_store(&config, Access::Create).await.unwrap();
    let supervisor = supervisor(&config, &workers, store, None, "test");
    let settings = note.in_settings(config.settings());
    let run =
        supervisor.submit_with(task.task.clone(), task.options(settings.clone())).await.unwrap();
    assert_eq!(supervisor.wait(run).await.unwrap().aggregated_output["a"], "Hello Ann");

    assert_eq!(RunAnnotation::from_settings(&settings), note);
    let elsewhere = ProjectLocation::new("/elsewhere", None);
    assert_eq!(note.location(&elsewhere), ProjectLocation::new(folder.path(), config.file.clone()));
    let strange = RunSettings::default()
        .with_annotations(JsonMap::from_iter([("orch".to_owned(), 1.into())]));
    for other in [RunSettings::default(), strange] {
        assert_eq!(RunAnnotation::from_settings(&other).location(&elsewhere), elsewhere);
    }
}

#[cfg(feature = "embeddings")]
#[tokio::test]
async fn a_server_for_embeddings_is_checked_before_anything_runs() {
    let of = |embeddings: &str| {
        folder(&[("orch.yaml", &format!("memory: {{ embeddings: {{ {embeddings} }} }}\n"))])
    };
    let said = issues(load(of("url: nowhere, model: m").path()));
    assert!(said[0].contains("`nowhere` is no address for embeddings"), "{said:?}");
    let there = of("url: 'http://127.0.0.1:1/v1/embeddings', model: m");
    let secret = of("url: 'http://127.0.0.1:1/v1/embeddings', model: m, key_env: ORCH_TEST_NO_KEY");
    for (folder, opens) in [(there, true), (secret, false)] {
        let config = load(folder.path()).unwrap();
        let store = open_store(&config, Access::Create).await.unwrap();
        match open_memory(&config, store, Access::Create).await {
            Ok(memory) => assert!(opens && memory.is_some()),
            Err(error) => {
                assert!(!opens, "{error}");
                assert!(error.to_string().contains("ORCH_TEST_NO_KEY"), "{error}");
            }
        }
    }
}
