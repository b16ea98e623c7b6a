//! A store in PostgreSQL.

use orch_app::{
    Access, AppError, Config, Store, TaskFile, Workers, open_store, supervisor, with_causes,
};
use orch_core::journal::RunFilter;
use orch_memory::testing::TestDatabase;

use crate::folder;

const WORKERS: &str = r#"
workers:
  greeter:
    command: [echo, "Hello {{ subtask.context.name }}"]
    capabilities: [{ name: greet, task_types: [greet] }]
"#;

/// A project that keeps its runs there; its folder goes with the second value.
fn project(store: &str) -> (Config, tempfile::TempDir) {
    let folder = folder(&[("orch.yaml", &format!("store: {store}\n{WORKERS}"))]);
    (crate::load(folder.path()).unwrap(), folder)
}

#[tokio::test]
async fn runs_are_kept_in_a_database() {
    let Some(database) = TestDatabase::create() else { return };
    let (config, _folder) = project(&database.url());
    assert!(matches!(open_store(&config, Access::Read).await, Err(AppError::NoStore { .. })));

    let workers = Workers::new(&config).unwrap();
    let task = folder(&[(
        "task.yaml",
        "description: x\nsubtasks: [{ id: a, task_type: greet, description: x, context: { name: Ann } }]\n",
    )]);
    let task = TaskFile::load(&task.path().join("task.yaml"), &[]).unwrap();
    let store = open_store(&config, Access::Create).await.unwrap();
    let supervisor = supervisor(&config, &workers, store.clone(), None, "test");
    let settings = task.settings(config.settings());
    let run = supervisor.submit_with(task.task.clone(), task.options(settings)).await.unwrap();
    assert_eq!(supervisor.wait(run).await.unwrap().aggregated_output["a"], "Hello Ann");
    supervisor.shutdown(std::time::Duration::ZERO).await;
    store.close().await;

    for access in [Access::Read, Access::Existing] {
        let store = open_store(&config, access).await.unwrap();
        let rows = store.rows(&RunFilter::new()).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.head.run).collect::<Vec<_>>(), [run]);
        store.close().await;
    }
}

#[tokio::test]
async fn no_error_shows_a_password() {
    let secret = "s3cr3t-p4ss";
    for url in [
        format!("postgres://ann:{secret}@127.0.0.1:1/db"),
        format!("postgres://ann@127.0.0.1:1/db?password={secret}"),
        format!("postgres://ann@127.0.0.1:1/db?pasword={secret}"),
        format!("postgres://ann:{secret}@127.0.0.1:port/db"),
        format!("postgres://ann:{secret}@[::/db"),
    ] {
        let (config, _folder) = project(&url);
        let error = open_store(&config, Access::Create).await.err().unwrap();
        let said = format!("{} {error:?} {config:?} {}", with_causes(&error), config.store);
        assert!(!said.contains(secret), "{said}");
    }
}

#[tokio::test]
async fn addresses_name_variables_that_must_be_set() {
    let (config, _folder) = project("postgres://ann:${ORCH_TEST_IS_NEVER_SET}@127.0.0.1:1/db");
    assert!(matches!(&config.store, Store::Postgres(_)));
    let error = open_store(&config, Access::Create).await.err().unwrap();
    assert!(
        matches!(&error, AppError::NoSecret { variable, .. } if variable == "ORCH_TEST_IS_NEVER_SET"),
        "{error}"
    );
}
