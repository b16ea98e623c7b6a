//! Who may run tasks, and who gets work.

use orch_core::{MemoryScope, ScopeError, ScopeRule, Worker, WorkerCapability};
use orch_supervisor::{RegisterError, Supervisor, SupervisorError, worker_fn};
use serde_json::json;

use crate::support::{plan, run, submit, task};

/// A worker that takes work only from `chief`.
fn worker(name: &'static str, chief: &str) -> impl Worker + use<> {
    let scope = MemoryScope::new(name).with_subordinate_to(chief.to_owned());
    worker_fn(
        name,
        [WorkerCapability::new("work", ["work"])],
        move |_| async move { Ok(json!(name)) },
    )
    .with_scope(scope)
}

fn boss() -> MemoryScope {
    MemoryScope::new("boss")
}

#[track_caller]
fn is_refused(error: &SupervisorError, expected: &str) {
    assert!(matches!(error, SupervisorError::Scope(_)), "{error}");
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn without_the_right_nothing_is_run() {
    let scope = boss().with_can_orchestrate(false);
    let supervisor = Supervisor::builder().scope(scope).worker(worker("ann", "boss")).build();
    let expected = "`boss` may not run tasks: `can_orchestrate` of its scope is false";
    is_refused(&supervisor.submit(task()).await.unwrap_err(), expected);
    let id = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
    is_refused(&supervisor.resume(id).await.unwrap_err(), expected);
    assert!(supervisor.runs(&Default::default()).await.unwrap().is_empty(), "nothing was written");
}

#[tokio::test]
async fn a_worker_of_somebody_else_gets_nothing() {
    let supervisor = Supervisor::builder()
        .scope(boss())
        .worker(worker("ann", "chief"))
        .worker(worker("bob", "boss"))
        .build();
    let result = run(&supervisor, plan("a; b")).await;
    assert_eq!(result.aggregated_output, json!(["bob", "bob"]), "ann was left out");

    let error = supervisor.register_worker(worker("ann", "chief")).unwrap_err();
    assert!(
        matches!(
            error,
            RegisterError::Scope(ScopeError::Delegate { rule: ScopeRule::SubordinateTo, .. })
        ),
        "{error}"
    );
    supervisor.register_worker(worker("ann", "boss")).unwrap();
}

#[tokio::test]
async fn a_supervisor_gives_work_to_nobody_else() {
    let scope = boss().with_can_delegate_to(vec!["bob".to_owned()]);
    let supervisor = Supervisor::builder().scope(scope).worker(worker("bob", "boss")).build();
    let expected =
        "`boss` may not give work to `ann`: `can_delegate_to` of its scope does not name `ann`";
    let error = supervisor.register_worker(worker("ann", "boss")).unwrap_err();
    assert_eq!(error.to_string(), expected);
    let result = run(&supervisor, plan("a; b")).await;
    assert_eq!(result.aggregated_output, json!(["bob", "bob"]));
    // Nor can somebody take it who was never registered.
    let run = submit(&supervisor, plan("a")).await;
    let error = supervisor.claim(run, "ann", Some("a".into()), 1, None).await.unwrap_err();
    is_refused(&error, expected);
}

#[tokio::test]
async fn who_was_refused_by_a_worker_s_scope_cannot_claim_as_that_worker() {
    let supervisor = Supervisor::builder().scope(boss()).worker(worker("ann", "chief")).build();
    let run = submit(&supervisor, plan("a")).await;
    let error = supervisor.claim(run, "ann", Some("a".into()), 1, None).await.unwrap_err();
    is_refused(
        &error,
        "`boss` may not give work to `ann`: `subordinate_to` in the scope of `ann` names another supervisor",
    );
}
